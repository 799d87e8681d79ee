/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the live demo shows in the end, made of what the two ends reported. */
#ifndef ZC_TOOLS_DEMO_LIVE_REPORT_H
#define ZC_TOOLS_DEMO_LIVE_REPORT_H

#include <stdio.h>

#include "tools/demo-live.h"
#include "tools/demo-pair.h"

struct zc_demo_live_report {
    const struct zc_demo_live_options *options;
    const struct zc_demo_pair *pair; /* an end that did not report is NULL */
    const GError *error;             /* NULL: it moved */
};

/* The sender's report is there. */
void zc_demo_live_report_print_table(const struct zc_demo_live_report *report, FILE *file);

/* One object: the sender's figures by their names in query-migrate, "send", "recv" and "error". */
void zc_demo_live_report_print_json(const struct zc_demo_live_report *report, FILE *file);

#endif
