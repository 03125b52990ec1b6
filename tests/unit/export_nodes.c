// SPDX-License-Identifier: BSD-2-Clause
/* export_nodes - the statistics by NUMA node. Part of t-export. */
#include "engine.h"
#include "export_test.h"

static const struct engine_node fake_nodes[] = {
	{.pending_bytes = 3 << 20, .zapped_bytes = 5 << 20, .flushes = 7, .own_bytes = 262144},
	{.pending_bytes = 4096, .zapped_bytes = 8192, .flushes = 1, .own_bytes = 524288},
};

void set_nodes(unsigned n)
{
	in.node = fake_nodes;
	in.nodes = n;
}

/* One that is alone is the whole, which is there already. */
void test_nodes(void **state)
{
	const char *t;

	(void)state;
	set_nodes(1);
	assert_lacks(render(export_text), "NUMA");
	assert_lacks(render(export_metrics), "_node_");
	t = render(export_json);
	assert_has(t, "\"nodes\": [\n{\"node\": 0, \"pending_bytes\": 3145728, \"zapped_bytes\": "
		      "5242880, "
		      "\"flushes\": 7, \"own_bytes\": 262144}],\n");
	set_nodes(2);
	assert_has(render(export_text),
		   "\n      0     3.0 MiB     5.0 MiB                   7   256.0 KiB"
		   "\n      1     4.0 KiB     8.0 KiB                   1   512.0 KiB\n");
	assert_has(render(export_json), "},\n{\"node\": 1, \"pending_bytes\": 4096, ");
	in.label_pid = true;
	t = render(export_metrics);
	assert_has(t, "\n# TYPE ptreclaim_node_pending_bytes gauge\n"
		      "ptreclaim_node_pending_bytes{node=\"0\",pid=\"4242\"} 3145728\n"
		      "ptreclaim_node_pending_bytes{node=\"1\",pid=\"4242\"} 4096\n");
	assert_has(t, "\n# TYPE ptreclaim_node_zapped_bytes_total counter\n");
	assert_has(t, "\nptreclaim_node_zapped_bytes_total{node=\"1\",pid=\"4242\"} 8192\n");
	assert_has(t, "\nptreclaim_node_flushes_total{node=\"0\",pid=\"4242\"} 7\n");
	assert_has(t, "\nptreclaim_node_own_bytes{node=\"1\",pid=\"4242\"} 524288\n");
}
