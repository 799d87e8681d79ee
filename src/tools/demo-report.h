/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the demo shows in the end: the guest, both ends side by side, and whether it arrived. */
#ifndef ZC_TOOLS_DEMO_REPORT_H
#define ZC_TOOLS_DEMO_REPORT_H

#include <stdio.h>

#include "tools/demo-guest.h"
#include "tools/demo-pair.h"

struct zc_demo_report {
    const char *kernel;
    struct zc_demo_dump dump;
    uint64_t tick;   /* the guest's last: it lived to the end */
    gboolean same;   /* the two images, byte by byte */
    uint64_t offset; /* of the first difference */
    struct zc_demo_pair pair;
    const char *image; /* kept files; NULL when they are gone */
    const char *output;
};

void zc_demo_report_print_table(const struct zc_demo_report *report, FILE *file);
void zc_demo_report_print_json(const struct zc_demo_report *report, FILE *file);

#endif
