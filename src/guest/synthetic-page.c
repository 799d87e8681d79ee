/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: integers only.  A walk that used exp() or pow() would pick other
 * pages where the C library rounds differently, and source and destination are
 * two machines.  A random number is a function of (key, sequence), not of the
 * one before it, so a guest's whole random state is a key and a count.
 */
#include "config.h"

#include <string.h>

#include "guest/synthetic-page.h"
#include "mem/digest.h"

#define WORDS (ZC_PAGE_BYTES / 8)
#define LINE_WORDS 8u
#define STAMP_WORDS 3u
#define MAGIC UINT64_C(0x5a47) /* "ZG" */
#define STEP UINT64_C(0x9e3779b97f4a7c15)
#define ZERO_RUN_PAGES 16u

static uint64_t who_of(const struct zc_stamp *stamp)
{
    return MAGIC << 48 | (uint64_t)stamp->writer << 32 | stamp->page;
}

static uint64_t content_base(const struct zc_stamp *stamp, uint64_t seed)
{
    return zc_stamp_mix(zc_stamp_mix(seed ^ who_of(stamp)) + stamp->sequence * STEP) ^
           stamp->history;
}

/* A line as one vector: each line is the one before it plus a constant line. */
typedef uint64_t line_vector __attribute__((vector_size(LINE_WORDS * 8), may_alias));

ZC_TARGET_CLONES
static void write_lines(line_vector *lines, const line_vector *first, const line_vector *step)
{
    line_vector line = *first;

    for (unsigned int i = 0; i < WORDS / LINE_WORDS; i++) {
        lines[i] = line;
        line += *step;
    }
}

void zc_stamp_write(uint8_t *page, const struct zc_stamp *stamp, uint64_t seed)
{
    uint64_t base = content_base(stamp, seed);
    line_vector first = { who_of(stamp), stamp->sequence, stamp->history };
    line_vector step = { 0 };

    for (unsigned int i = STAMP_WORDS; i < LINE_WORDS; i++) {
        first[i] = base + i * STEP;
        step[i] = LINE_WORDS * STEP;
    }
    write_lines((line_vector *)(void *)page, &first, &step);
}

static bool any_line_has_magic(const uint64_t *words)
{
    for (unsigned int line = 0; line < WORDS; line += LINE_WORDS) {
        if (words[line] >> 48 == MAGIC) {
            return true;
        }
    }
    return false;
}

enum zc_stamp_kind zc_stamp_read(const uint8_t *page, uint64_t seed, struct zc_stamp *stamp_out,
                                 uint64_t *other_out)
{
    const uint64_t *words = (const uint64_t *)(const void *)page;
    struct zc_stamp stamp = {
        .page = (uint32_t)words[0],
        .writer = (uint16_t)(words[0] >> 32),
        .sequence = words[1],
        .history = words[2],
    };
    uint8_t whole[ZC_PAGE_BYTES] __attribute__((aligned(64)));

    *stamp_out = stamp;
    *other_out = stamp.sequence;
    if (zc_page_is_zero(page)) {
        return ZC_STAMP_ZERO;
    }
    if (!any_line_has_magic(words)) {
        return ZC_STAMP_FOREIGN;
    }
    zc_stamp_write(whole, &stamp, seed);
    for (unsigned int line = 0; line < WORDS; line += LINE_WORDS) {
        if (memcmp(words + line, whole + line * 8, LINE_WORDS * 8) != 0) {
            *other_out = words[line + 1];
            return ZC_STAMP_TORN;
        }
    }
    return ZC_STAMP_WHOLE;
}

/* @x of 64 random bits to 0 .. @n - 1. */
static uint64_t scale(uint64_t x, uint64_t n)
{
    return (uint64_t)((unsigned __int128)x * n >> 64);
}

bool zc_synthetic_starts_zero(const struct zc_synthetic_options *options, uint64_t page)
{
    uint64_t x = zc_stamp_mix(options->seed + (page / ZERO_RUN_PAGES + 1) * STEP);

    return scale(x, ZC_SYNTHETIC_PPM) < options->zero_ppm;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void zc_walk_init(struct zc_walk *walk, const struct zc_synthetic_options *options, uint32_t writer,
                  uint64_t key)
{
    uint64_t pages = options->size_bytes / ZC_PAGE_BYTES;
    uint64_t n_own = (pages - writer + options->writers - 1) / options->writers;

    *walk = (struct zc_walk){
        .pattern = options->pattern,
        .writer = writer,
        .writers = options->writers,
        .key = key,
        .n_own = n_own,
        .n_walk = n_own,
        .scatter = n_own * 5 / 8 + 1,
    };
    if (walk->pattern == ZC_SYNTHETIC_HOT) {
        walk->n_walk =
            MAX((uint64_t)((unsigned __int128)n_own * options->hot_ppm / ZC_SYNTHETIC_PPM), 1);
    }
    while (greatest_common_divisor(walk->scatter, walk->n_walk) != 1) {
        walk->scatter++;
    }
}

/* Rank 1 is the favourite.  Octave k has ranks 2^k to 2^(k+1) - 1; the last may be cut short. */
static uint64_t zipf_index(const struct zc_walk *walk, uint64_t x)
{
    uint64_t octaves = 64 - (uint64_t)__builtin_clzll(walk->n_walk);
    uint64_t start = UINT64_C(1) << scale(x, octaves);
    uint64_t length = MIN(start, walk->n_walk - start + 1);
    uint64_t rank = start + scale(zc_stamp_mix(x), length);

    return (uint64_t)((unsigned __int128)(rank - 1) * walk->scatter % walk->n_walk);
}

uint64_t zc_walk_index(const struct zc_walk *walk, uint64_t sequence)
{
    uint64_t x = zc_stamp_mix(walk->key + sequence * STEP);

    switch (walk->pattern) {
    case ZC_SYNTHETIC_SEQ:
        return (sequence - 1) % walk->n_walk;
    case ZC_SYNTHETIC_ZIPF:
        return zipf_index(walk, x);
    case ZC_SYNTHETIC_RANDOM:
    case ZC_SYNTHETIC_HOT:
        break;
    }
    return scale(x, walk->n_walk);
}
