/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a relay says of a session: while it runs and in the end. */
#ifndef ZC_TOOLS_RELAY_REPORT_H
#define ZC_TOOLS_RELAY_REPORT_H

#include <stdio.h>

#include <zcmig/relay.h>

#include "tools/progress.h"

struct zc_progress_relay {
    zcmig_relay *relay;
    struct zcmig_relay_stats stats;
};
extern const struct zc_progress_view zc_progress_relay_view; /* of that */

void zc_relay_report_print_table(const struct zcmig_relay_stats *stats, FILE *file);
/* One line.  @error: NULL when all was passed on. */
void zc_relay_report_print_json(const struct zcmig_relay_stats *stats, const GError *error,
                                FILE *file);

#endif
