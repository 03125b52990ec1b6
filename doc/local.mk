# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += doc/libptreclaim.7
dist_man_MANS += doc/ptreclaim.1
dist_man_MANS += doc/ptreclaim_stats_print.3
dist_pkgdata_DATA += doc/ptreclaim-stats.schema.json
dist_man_MANS += doc/ptreclaim.conf.5
dist_man_MANS += doc/ptreclaim-properties.7
dist_man_MANS += doc/ptreclaim_ctl.3
dist_man_MANS += doc/ptreclaim_flush.3
dist_man_MANS += doc/ptreclaim_hook_arena.3
dist_man_MANS += doc/ptreclaim_version.3
# All comments: somebody's to copy to /etc.
EXTRA_DIST += doc/ptreclaim.conf

# What a team that rolls the library out to many hosts starts from.
EXTRA_DIST += \
	doc/fleet/rollout.md \
	doc/fleet/recording.yml doc/fleet/alerts.yml doc/fleet/alerts.test.yml \
	doc/fleet/ptreclaim-dashboard.json \
	doc/fleet/systemd/ptreclaim.conf doc/fleet/systemd/ptreclaim-strict.conf \
	doc/fleet/systemd/ptreclaim-filter.conf \
	doc/fleet/systemd/ptreclaim.sysusers.conf doc/fleet/systemd/ptreclaim.tmpfiles.conf \
	doc/fleet/kubernetes/configmaps.yaml doc/fleet/kubernetes/deployment.yaml
