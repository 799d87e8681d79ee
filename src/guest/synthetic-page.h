/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a write of a synthetic guest leaves in a page, and which page it goes
 * to: the two pure functions that writers and the checker share.
 *
 *     64 lines of 64 bytes, each:  | who | sequence | history | 5 words of content |
 *
 *     who      = magic << 48 | writer << 32 | page
 *     history  = a hash over the sequences of all writes to this page
 *     content  = follows from seed, who, sequence, history and its place in the page
 *
 * So each line names its version: a torn page shows where and between which two.
 * Words are of the host's byte order: RAM crosses as it is.
 */
#ifndef ZC_GUEST_SYNTHETIC_PAGE_H
#define ZC_GUEST_SYNTHETIC_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/synthetic.h"

struct zc_stamp {
    uint32_t page;
    uint16_t writer;
    uint64_t sequence; /* 0: the initial fill */
    uint64_t history;  /* 0: no write yet */
};

/* A good mixer of 64 bits, and a bijection. */
static inline uint64_t zc_stamp_mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

static inline uint64_t zc_stamp_next_history(uint64_t history, uint64_t sequence)
{
    return zc_stamp_mix(history + sequence * UINT64_C(0x9e3779b97f4a7c15));
}

/* The history that a page has in itself; 0 of a zero page. */
static inline uint64_t zc_stamp_history(const uint8_t *page)
{
    return ((const uint64_t *)(const void *)page)[2];
}

void zc_stamp_write(uint8_t *page, const struct zc_stamp *stamp, uint64_t seed);

enum zc_stamp_kind {
    ZC_STAMP_WHOLE,
    ZC_STAMP_ZERO,
    ZC_STAMP_TORN,
    ZC_STAMP_FOREIGN, /* no line has a stamp */
};

/* *@stamp_out is that of the first line, *@other_out the sequence of the first line that differs.
 */
enum zc_stamp_kind zc_stamp_read(const uint8_t *page, uint64_t seed, struct zc_stamp *stamp_out,
                                 uint64_t *other_out);

/* Whether a page starts as zeros. */
bool zc_synthetic_starts_zero(const struct zc_synthetic_options *options, uint64_t page);

/* The walk of one writer over its pages. */
struct zc_walk {
    enum zc_synthetic_pattern pattern;
    uint32_t writer;
    uint32_t writers;
    uint64_t key;
    uint64_t n_own;   /* pages that belong to the writer */
    uint64_t n_walk;  /* of them, the first ones that it writes to */
    uint64_t scatter; /* zipf: a factor without common divisor with n_walk */
};

void zc_walk_init(struct zc_walk *walk, const struct zc_synthetic_options *options, uint32_t writer,
                  uint64_t key);

/* Index of the page in the writer's own pages that write number @sequence (from 1) goes to. */
uint64_t zc_walk_index(const struct zc_walk *walk, uint64_t sequence);

static inline uint64_t zc_walk_page(const struct zc_walk *walk, uint64_t index)
{
    return index * walk->writers + walk->writer;
}

#endif
