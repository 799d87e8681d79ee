/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what the two ends of a demo reported, and what every demo shows of it. */
#ifndef ZC_TOOLS_DEMO_ENDS_H
#define ZC_TOOLS_DEMO_ENDS_H

#include <stdint.h>
#include <stdio.h>

#include "tools/demo-pair.h"

/* The member @name of the object @of of @report; of @report itself when @of is NULL.  0: none. */
double zc_demo_ends_number(JsonObject *report, const char *of, const char *name);
uint64_t zc_demo_ends_count(JsonObject *report, const char *of, const char *name);

/* Both ends side by side: time, rate, bytes, CPU.  Both reports are there. */
void zc_demo_ends_print(const struct zc_demo_pair *pair, FILE *file);

/* What the sender's zero-copy came to. */
void zc_demo_ends_print_zero_copy(JsonObject *send, FILE *file);

/* Adds the member @name, which is @object (owned by the caller). */
void zc_demo_ends_add(JsonBuilder *builder, const char *name, JsonObject *object);

#endif
