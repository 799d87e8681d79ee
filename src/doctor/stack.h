/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's histograms of call stacks, as text, turned into data; and what
 * the stacks that are known mean.  Pure.
 */
#ifndef ZC_DOCTOR_STACK_H
#define ZC_DOCTOR_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

struct zc_stack {
    const char *event; /* static */
    uint64_t hits;
    GPtrArray *functions; /* char *, innermost first */
};

/* What a trace collected. */
struct zc_traced {
    GArray *stacks; /* struct zc_stack */
    bool counted;   /* how packets let go of user pages */
    uint64_t released_copied;
    uint64_t released_not_copied;
};

void zc_traced_clear(struct zc_traced *traced);

/* An empty array of struct zc_stack that frees what they hold. */
GArray *zc_stacks_new(void);

/*
 * Appends the stacks of a histogram whose only key is the stack, in the form of a trace event's
 * "hist" file; @function is what was traced, and ends up innermost.  Returns their number; text
 * that is not understood is passed over.
 */
unsigned int zc_stacks_parse(const char *text, const char *event, const char *function,
                             GArray *stacks);

/* Hits of @value in a histogram whose only key is the number @key. */
uint64_t zc_stacks_count(const char *text, const char *key, unsigned int value);

/* The most frequent first. */
void zc_stacks_sort(GArray *stacks);

/*
 * Why the kernel came this way, as the cause of a finding, with *@meaning_out in words; both ""
 * when the way is not known.  @functions: innermost first, ends with NULL.  Static texts.
 */
const char *zc_stack_cause(const char *const *functions, const char **meaning_out);

#endif
