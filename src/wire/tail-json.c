/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "wire/tail-json.h"
#include "wire/tail.h"

static void skip_space(struct zc_json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t')) {
        json->at++;
    }
}

/* Takes @wanted if it is next. */
static bool take(struct zc_json *json, char wanted)
{
    skip_space(json);
    if (json->at == json->end || *json->at != (uint8_t)wanted) {
        return false;
    }
    json->at++;
    return true;
}

bool zc_json_string(struct zc_json *json, struct zc_json_text *text_out)
{
    if (!take(json, '"')) {
        return false;
    }
    text_out->bytes = json->at;
    while (json->at < json->end && *json->at != '"') {
        if (*json->at < ' ') {
            return false;
        }
        if (*json->at == '\\') {
            json->at++;
        }
        if (json->at < json->end) {
            json->at++;
        }
    }
    if (json->at == json->end) {
        return false;
    }
    text_out->length = (size_t)(json->at - text_out->bytes);
    json->at++;
    return true;
}

bool zc_json_count(struct zc_json *json, uint64_t *count_out)
{
    uint64_t count = 0;

    skip_space(json);
    const uint8_t *begin = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9') {
        if (count > (INT64_MAX - 9) / 10) {
            return false;
        }
        count = count * 10 + (uint64_t)(*json->at++ - '0');
    }
    if (json->at == begin ||
        (json->at < json->end && (*json->at == '.' || *json->at == 'e' || *json->at == 'E'))) {
        return false;
    }
    *count_out = count;
    return true;
}

/* A number of any form, true, false or null: their letters; what they mean is not asked. */
static bool skip_scalar(struct zc_json *json)
{
    static const char letters[] = "+-.0123456789Eaeflnrstu";
    const uint8_t *begin = json->at;

    while (json->at < json->end && *json->at && strchr(letters, *json->at)) {
        json->at++;
    }
    return json->at > begin;
}

bool zc_json_open(struct zc_json *json, char bracket)
{
    if (json->depth >= ZC_TAIL_DEPTH_MAX || !take(json, bracket)) {
        return false;
    }
    json->depth++;
    return true;
}

/* What comes between the items of an object or array, or its end. */
static bool next_item(struct zc_json *json, char closing, bool *first, bool *more)
{
    if (take(json, closing)) {
        json->depth--;
        *more = false;
        return true;
    }
    *more = true;
    if (*first) {
        *first = false;
        return true;
    }
    return take(json, ',');
}

bool zc_json_member(struct zc_json *json, bool *first, struct zc_json_text *name_out, bool *more)
{
    return next_item(json, '}', first, more) &&
           (!*more || (zc_json_string(json, name_out) && take(json, ':')));
}

bool zc_json_element(struct zc_json *json, bool *first, bool *more)
{
    return next_item(json, ']', first, more);
}

static bool skip_object(struct zc_json *json)
{
    struct zc_json_text name;
    bool first = true, more;

    if (!zc_json_open(json, '{')) {
        return false;
    }
    while (zc_json_member(json, &first, &name, &more)) {
        if (!more) {
            return true;
        }
        if (!zc_json_skip(json)) {
            return false;
        }
    }
    return false;
}

static bool skip_array(struct zc_json *json)
{
    bool first = true, more;

    if (!zc_json_open(json, '[')) {
        return false;
    }
    while (zc_json_element(json, &first, &more)) {
        if (!more) {
            return true;
        }
        if (!zc_json_skip(json)) {
            return false;
        }
    }
    return false;
}

bool zc_json_skip(struct zc_json *json)
{
    struct zc_json_text text;

    skip_space(json);
    if (json->at == json->end) {
        return false;
    }
    switch (*json->at) {
    case '{':
        return skip_object(json);
    case '[':
        return skip_array(json);
    case '"':
        return zc_json_string(json, &text);
    default:
        return skip_scalar(json);
    }
}

bool zc_json_at_end(struct zc_json *json)
{
    skip_space(json);
    return json->at == json->end;
}

bool zc_json_text_is(struct zc_json_text text, const char *expected)
{
    return text.length == strlen(expected) && memcmp(text.bytes, expected, text.length) == 0;
}
