/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: QEMU describes what it wrote, field by field, in the order it wrote
 * it.  Of a field the description has "size", what one element took with all
 * that is nested in it, and "array_len" where equal elements were folded into
 * one entry.  A subsection has its own header (05, the name's length, the
 * name, a version: six bytes and the name) which no size includes.  So
 *
 *     state = sum of size * array_len + sum over subsections of (6 + name + their state)
 *
 * and every section computed so must end in a footer that repeats its id; one
 * that does not is an error, not a guess.  Checked on QEMU 7.2, 10.0 and 11.1.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "wire/bytes.h"
#include "wire/tail-json.h"
#include "wire/tail.h"

#define EOF_MARK 0x00
#define SECTION_FULL 0x04
#define DESCRIPTION_MARK 0x06
#define FOOTER_MARK 0x7e
#define DESCRIPTION_HEAD_BYTES 6 /* EOF mark, description mark, length */
#define FOOTER_BYTES 5
#define SUBSECTION_HEAD_BYTES 6

/* One entry of "devices". */
struct device {
    struct zc_json_text name;
    uint64_t instance;
    uint64_t state_bytes;
};

/* ---------------------------------------------------------- the description */

/* An entry of "fields" adds to *@total. */
static bool read_field(struct zc_json *json, uint64_t *total)
{
    struct zc_json_text name;
    uint64_t size = 0, array_len = 1, bytes;
    bool first = true, more, good = zc_json_open(json, '{');

    while (good && (good = zc_json_member(json, &first, &name, &more)) && more) {
        if (zc_json_text_is(name, "size")) {
            good = zc_json_count(json, &size);
        } else if (zc_json_text_is(name, "array_len")) {
            good = zc_json_count(json, &array_len);
        } else {
            good = zc_json_skip(json);
        }
    }
    return good && !__builtin_mul_overflow(size, array_len, &bytes) &&
           !__builtin_add_overflow(*total, bytes, total);
}

static bool read_subsection(struct zc_json *json, uint64_t *total);

/* An array of which @read takes each element. */
static bool read_list(struct zc_json *json, bool (*read)(struct zc_json *, uint64_t *),
                      uint64_t *total)
{
    bool first = true, more;

    if (!zc_json_open(json, '[')) {
        return false;
    }
    while (zc_json_element(json, &first, &more)) {
        if (!more) {
            return true;
        }
        if (!read(json, total)) {
            return false;
        }
    }
    return false;
}

/* The value of member @name of a device or subsection, where it counts. */
static bool read_state_member(struct zc_json *json, struct zc_json_text name, uint64_t *total)
{
    if (zc_json_text_is(name, "fields")) {
        return read_list(json, read_field, total);
    }
    if (zc_json_text_is(name, "subsections")) {
        return read_list(json, read_subsection, total);
    }
    return zc_json_skip(json);
}

static bool read_subsection(struct zc_json *json, uint64_t *total)
{
    struct zc_json_text name, vmsd_name = { NULL, 0 };
    bool first = true, more, good = zc_json_open(json, '{');

    while (good && (good = zc_json_member(json, &first, &name, &more)) && more) {
        good = zc_json_text_is(name, "vmsd_name") ? zc_json_string(json, &vmsd_name)
                                                  : read_state_member(json, name, total);
    }
    return good && vmsd_name.bytes &&
           !__builtin_add_overflow(*total, SUBSECTION_HEAD_BYTES + vmsd_name.length, total);
}

static bool read_device(struct zc_json *json, struct device *device)
{
    struct zc_json_text name;
    bool first = true, more, good = zc_json_open(json, '{');

    *device = (struct device){ 0 };
    while (good && (good = zc_json_member(json, &first, &name, &more)) && more) {
        if (zc_json_text_is(name, "name")) {
            good = zc_json_string(json, &device->name);
        } else if (zc_json_text_is(name, "instance_id")) {
            good = zc_json_count(json, &device->instance);
        } else {
            good = read_state_member(json, name, &device->state_bytes);
        }
    }
    return good && device->name.bytes;
}

/* Moves to the list of devices: the cursor is behind its '['. */
static bool enter_devices(struct zc_json *json)
{
    struct zc_json_text name;
    bool first = true, more;

    if (!zc_json_open(json, '{')) {
        return false;
    }
    while (zc_json_member(json, &first, &name, &more) && more) {
        if (zc_json_text_is(name, "devices")) {
            return zc_json_open(json, '[');
        }
        if (!zc_json_skip(json)) {
            return false;
        }
    }
    return false;
}

static bool is_description(const uint8_t *bytes, size_t length)
{
    struct zc_json whole = { bytes, bytes + length, 0 };
    struct zc_json devices = whole;

    return zc_json_skip(&whole) && zc_json_at_end(&whole) && enter_devices(&devices);
}

/*
 * Whether it can be the beginning of a description: text.  Device state that only looks like one
 * would otherwise be waited for; the EOF mark behind it, if nothing before, tells.
 */
static bool is_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < ' ' && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t') {
            return false;
        }
    }
    return true;
}

bool zc_tail_find(const uint8_t *bytes, size_t length, size_t description_max, size_t *searched,
                  struct zc_tail *tail_out)
{
    static const uint8_t begin[] = { '{', '"' };

    while (*searched + DESCRIPTION_HEAD_BYTES + sizeof(begin) <= length) {
        const uint8_t *head = bytes + *searched;
        const uint8_t *json = head + DESCRIPTION_HEAD_BYTES;
        bool likely = head[0] == EOF_MARK && head[1] == DESCRIPTION_MARK &&
                      memcmp(json, begin, sizeof(begin)) == 0;
        size_t json_bytes = likely ? zc_get_u32(head + 2) : 0;

        if (likely && json_bytes <= description_max) {
            size_t left = length - *searched - DESCRIPTION_HEAD_BYTES;
            if (json_bytes > left && is_text(json, left)) {
                return false; /* perhaps with more bytes */
            }
            if (json_bytes <= left && is_description(json, json_bytes)) {
                tail_out->devices_bytes = *searched;
                tail_out->description_offset = *searched + DESCRIPTION_HEAD_BYTES;
                tail_out->description_bytes = json_bytes;
                tail_out->bytes = tail_out->description_offset + json_bytes;
                return true;
            }
        }
        ++*searched;
    }
    return false;
}

/* -------------------------------------------------------------- the sections */

/* The head of the section at @offset, which must have one.  Sets all but the state's length. */
static bool read_head(const uint8_t *bytes, size_t end, size_t offset,
                      struct zc_tail_section *section, GError **error)
{
    const uint8_t *at = bytes + offset;
    size_t left = end - offset;
    size_t name_bytes = left > 5 ? at[5] : 0;

    if (left < 6 || left - 6 < name_bytes + 8) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "device state: offset %zu: got %zu bytes, which is no section", offset,
                        left);
    }
    if (at[0] != SECTION_FULL) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "device state: offset %zu: got 0x%02x, allowed 0x%02x (a section)", offset,
                        at[0], SECTION_FULL);
    }
    section->id = zc_get_u32(at + 1);
    if (!zc_name_copy(section->name, at + 6, name_bytes)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "device state: offset %zu: got a section without a printable name", offset);
    }
    section->instance = zc_get_u32(at + 6 + name_bytes);
    section->version = zc_get_u32(at + 10 + name_bytes);
    section->offset = offset;
    section->state_offset = offset + 14 + name_bytes;
    return true;
}

/* @section, whose state is as long as @device says, must end in its footer. */
static bool measure(const uint8_t *bytes, size_t end, const struct device *device,
                    struct zc_tail_section *section, GError **error)
{
    size_t left = end - section->state_offset;

    if (left < FOOTER_BYTES || device->state_bytes > left - FOOTER_BYTES) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "device '%s': the description says %" PRIu64
                        " bytes of state, got %zu with the footer",
                        section->name, device->state_bytes, left);
    }
    section->state_bytes = (size_t)device->state_bytes;
    section->bytes = section->state_offset + section->state_bytes + FOOTER_BYTES - section->offset;
    const uint8_t *footer = bytes + section->state_offset + section->state_bytes;
    if (footer[0] != FOOTER_MARK || zc_get_u32(footer + 1) != section->id) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "device '%s': offset %zu: got 0x%02x and id %u, allowed a footer (0x%02x "
                        "and id %u) after %zu bytes of state",
                        section->name, section->state_offset + section->state_bytes, footer[0],
                        zc_get_u32(footer + 1), FOOTER_MARK, section->id, section->state_bytes);
    }
    return true;
}

/* The next device of the description must be @section's. */
static bool match_device(struct zc_json *json, bool *first, const struct zc_tail_section *section,
                         struct device *device, GError **error)
{
    bool more;

    if (!zc_json_element(json, first, &more) || !more || !read_device(json, device)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "device '%s': not in the description",
                        section->name);
    }
    return (zc_json_text_is(device->name, section->name) &&
            device->instance == section->instance) ||
           zc_error(error, ZCMIG_ERROR_PROTOCOL,
                    "device '%s': offset %zu: the description has '%.*s' there", section->name,
                    section->offset, (int)MIN(device->name.length, 255),
                    (const char *)device->name.bytes);
}

/* The list being made, and where in the description it is. */
struct indexing {
    struct zc_json json;
    bool first;
    struct zc_tail_section *sections;
    unsigned int n, max;
};

static bool index_sections(struct indexing *indexing, const struct zc_tail_sections *all,
                           GError **error)
{
    struct device device;

    for (size_t offset = 0; offset < all->length; indexing->n++) {
        struct zc_tail_section *section = &indexing->sections[indexing->n];
        if (indexing->n == indexing->max) {
            return zc_error(error, ZCMIG_ERROR_LIMIT, "device state: more than %u sections",
                            indexing->max);
        }
        if (!read_head(all->bytes, all->length, offset, section, error) ||
            !match_device(&indexing->json, &indexing->first, section, &device, error) ||
            !measure(all->bytes, all->length, &device, section, error)) {
            return false;
        }
        offset += section->bytes;
    }
    return true;
}

int zc_tail_index(const uint8_t *bytes, const struct zc_tail *tail,
                  const struct zc_tail_sections *early, struct zc_tail_section *sections,
                  unsigned int max, unsigned int *n_early_out, GError **error)
{
    const struct zc_tail_sections none = { NULL, 0 };
    const struct zc_tail_sections late = { bytes, tail->devices_bytes };
    const uint8_t *text = bytes + tail->description_offset;
    struct indexing indexing = { .json = { text, text + tail->description_bytes, 0 },
                                 .first = true,
                                 .sections = sections,
                                 .max = max };
    bool more;

    if (!enter_devices(&indexing.json)) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL, "device state: its description has no devices");
        return -1;
    }
    if (!index_sections(&indexing, early ? early : &none, error)) {
        return -1;
    }
    if (n_early_out) {
        *n_early_out = indexing.n;
    }
    if (!index_sections(&indexing, &late, error)) {
        return -1;
    }
    if (!zc_json_element(&indexing.json, &indexing.first, &more) || more) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "device state: the description has more devices than the %u sections",
                 indexing.n);
        return -1;
    }
    return (int)indexing.n;
}
