# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += doc/libptreclaim.7
dist_man_MANS += doc/ptreclaim.1
dist_man_MANS += doc/ptreclaim.conf.5
dist_man_MANS += doc/ptreclaim-properties.7
dist_man_MANS += doc/ptreclaim_ctl.3
