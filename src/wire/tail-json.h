/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Enough of JSON to read QEMU's description of its device state: a cursor over
 * bytes that a peer sent.  It allocates nothing and its depth is bounded.
 * Every function returns false when the text is not what it is asked for, and
 * leaves the cursor somewhere.
 */
#ifndef ZC_WIRE_TAIL_JSON_H
#define ZC_WIRE_TAIL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_json {
    const uint8_t *at;
    const uint8_t *end;
    unsigned int depth; /* of objects and arrays that are open */
};

/* A string as it stands between its quotes, escapes and all. */
struct zc_json_text {
    const uint8_t *bytes;
    size_t length;
};

bool zc_json_string(struct zc_json *json, struct zc_json_text *text_out);

/* A whole number from 0 to 2^63-1. */
bool zc_json_count(struct zc_json *json, uint64_t *count_out);

/* Any value. */
bool zc_json_skip(struct zc_json *json);

/*
 * Walks an object: zc_json_open '{', then zc_json_member until *@more is false, which closes it;
 * after each member name its value is read.  Arrays alike with '[' and zc_json_element.  @first is
 * the walk's own, true before.
 */
bool zc_json_open(struct zc_json *json, char bracket);
bool zc_json_member(struct zc_json *json, bool *first, struct zc_json_text *name_out, bool *more);
bool zc_json_element(struct zc_json *json, bool *first, bool *more);

/* Whether nothing but white space is left. */
bool zc_json_at_end(struct zc_json *json);

bool zc_json_text_is(struct zc_json_text text, const char *expected);

#endif
