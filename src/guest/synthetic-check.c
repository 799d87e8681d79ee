/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a writer at a time, its walk is replayed from the first write, which
 * gives each of its pages the last sequence and the history over all; then the
 * pages are read and compared.  The replay is the price of catching a write
 * that was lost long ago; nothing of it is stored in the state that crosses.
 */
#include "config.h"

#include "guest/synthetic-page.h"

struct expected {
    uint64_t sequence;
    uint64_t history;
};

const char *zc_synthetic_fault_name(enum zc_synthetic_fault fault)
{
    static const char *const names[ZC_SYNTHETIC_FAULTS] = {
        [ZC_SYNTHETIC_TORN] = "torn",           [ZC_SYNTHETIC_STALE] = "stale",
        [ZC_SYNTHETIC_LOST] = "lost",           [ZC_SYNTHETIC_FUTURE] = "future",
        [ZC_SYNTHETIC_MISPLACED] = "misplaced", [ZC_SYNTHETIC_MISSING] = "missing",
        [ZC_SYNTHETIC_FOREIGN] = "foreign",
    };

    return names[fault];
}

static void replay(const struct zc_walk *walk, uint64_t writes, struct expected *pages)
{
    for (uint64_t sequence = 1; sequence <= writes; sequence++) {
        struct expected *page = &pages[zc_walk_index(walk, sequence)];
        page->sequence = sequence;
        page->history = zc_stamp_next_history(page->history, sequence);
    }
}

/* What a whole page's stamp is against what it should be; ZC_SYNTHETIC_FAULTS: right. */
static enum zc_synthetic_fault judge_stamp(const struct zc_stamp *stamp, uint64_t number,
                                           uint32_t writer, const struct expected *expected,
                                           bool starts_zero)
{
    if (stamp->page != number) {
        return ZC_SYNTHETIC_MISPLACED;
    }
    if (stamp->writer != writer) {
        return ZC_SYNTHETIC_FOREIGN;
    }
    if (stamp->sequence != expected->sequence) {
        return stamp->sequence < expected->sequence ? ZC_SYNTHETIC_STALE : ZC_SYNTHETIC_FUTURE;
    }
    if (stamp->sequence == 0 && starts_zero) {
        return ZC_SYNTHETIC_FOREIGN;
    }
    return stamp->history == expected->history ? ZC_SYNTHETIC_FAULTS : ZC_SYNTHETIC_LOST;
}

static void check_page(const uint8_t *host, uint64_t number, uint32_t writer,
                       const struct expected *expected, const struct zc_synthetic_options *options,
                       struct zc_synthetic_report *report)
{
    struct zc_stamp stamp;
    struct zc_synthetic_finding finding = { .page = number,
                                            .expected = expected->sequence,
                                            .fault = ZC_SYNTHETIC_FAULTS };
    bool starts_zero = zc_synthetic_starts_zero(options, number);

    switch (zc_stamp_read(host + number * ZC_PAGE_BYTES, options->seed, &stamp, &finding.other)) {
    case ZC_STAMP_WHOLE:
        finding.fault = judge_stamp(&stamp, number, writer, expected, starts_zero);
        break;
    case ZC_STAMP_ZERO:
        if (!starts_zero) {
            finding.fault = ZC_SYNTHETIC_MISSING;
        } else if (expected->sequence != 0) {
            finding.fault = ZC_SYNTHETIC_STALE;
        }
        break;
    case ZC_STAMP_TORN:
        finding.fault = ZC_SYNTHETIC_TORN;
        break;
    case ZC_STAMP_FOREIGN:
        finding.fault = ZC_SYNTHETIC_FOREIGN;
        break;
    }
    if (finding.fault == ZC_SYNTHETIC_FAULTS) {
        return;
    }
    finding.found = finding.fault == ZC_SYNTHETIC_MISPLACED ? stamp.page : stamp.sequence;
    report->counts[finding.fault]++;
    if (report->n_findings < ZC_SYNTHETIC_FINDINGS) {
        report->findings[report->n_findings++] = finding;
    }
}

static uint64_t count_faults(const struct zc_synthetic_report *report)
{
    uint64_t total = 0;

    for (unsigned int i = 0; i < ZC_SYNTHETIC_FAULTS; i++) {
        total += report->counts[i];
    }
    return total;
}

uint64_t zc_synthetic_check(const struct zc_ram *ram, const struct zc_synthetic_state *state,
                            struct zc_synthetic_report *report)
{
    *report = (struct zc_synthetic_report){ .pages = zc_ram_pages(ram) };
    if (ram->n_blocks != 1 || ram->blocks[0].used_bytes != state->options.size_bytes ||
        !zc_synthetic_options_check(&state->options, 0, NULL)) {
        report->counts[ZC_SYNTHETIC_FOREIGN] = report->pages;
        return report->pages;
    }
    for (uint32_t writer = 0; writer < state->options.writers; writer++) {
        struct zc_walk walk;
        zc_walk_init(&walk, &state->options, writer, state->writers[writer].key);
        g_autofree struct expected *pages = g_new0(struct expected, walk.n_own);
        replay(&walk, state->writers[writer].writes, pages);
        report->writes += state->writers[writer].writes;
        for (uint64_t i = 0; i < walk.n_own; i++) {
            check_page(ram->blocks[0].host, zc_walk_page(&walk, i), writer, &pages[i],
                       &state->options, report);
        }
    }
    return count_faults(report);
}
