/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Big-endian integers in and out of bytes, and a cursor that cannot leave its
 * buffer.  Private to wire/ and its tests.
 *
 * A cursor function that returns false has taken nothing: the bytes at hand
 * are too few, which is never an error by itself.
 */
#ifndef ZC_WIRE_BYTES_H
#define ZC_WIRE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#define ZC_WIRE_PAGE_BYTES 4096u /* of the target: x86-64, and all that zcmig speaks for */
#define ZC_WIRE_NAME_MAX 255u    /* characters of a name with a length byte before it */

/* ---- fixed places */

static inline uint16_t zc_get_u16(const uint8_t *in)
{
    return (uint16_t)((in[0] << 8) | in[1]);
}

static inline uint32_t zc_get_u32(const uint8_t *in)
{
    return ((uint32_t)zc_get_u16(in) << 16) | zc_get_u16(in + 2);
}

static inline uint64_t zc_get_u64(const uint8_t *in)
{
    return ((uint64_t)zc_get_u32(in) << 32) | zc_get_u32(in + 4);
}

static inline void zc_set_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static inline void zc_set_u32(uint8_t *out, uint32_t value)
{
    zc_set_u16(out, (uint16_t)(value >> 16));
    zc_set_u16(out + 2, (uint16_t)value);
}

static inline void zc_set_u64(uint8_t *out, uint64_t value)
{
    zc_set_u32(out, (uint32_t)(value >> 32));
    zc_set_u32(out + 4, (uint32_t)value);
}

/* ---- appending */

static inline void zc_append_u8(GByteArray *out, uint8_t value)
{
    g_byte_array_append(out, &value, 1);
}

static inline void zc_append_u16(GByteArray *out, uint16_t value)
{
    uint8_t bytes[2];

    zc_set_u16(bytes, value);
    g_byte_array_append(out, bytes, sizeof(bytes));
}

static inline void zc_append_u32(GByteArray *out, uint32_t value)
{
    uint8_t bytes[4];

    zc_set_u32(bytes, value);
    g_byte_array_append(out, bytes, sizeof(bytes));
}

static inline void zc_append_u64(GByteArray *out, uint64_t value)
{
    uint8_t bytes[8];

    zc_set_u64(bytes, value);
    g_byte_array_append(out, bytes, sizeof(bytes));
}

/* A length byte and @name, which has 1 to ZC_WIRE_NAME_MAX characters. */
static inline void zc_append_name(GByteArray *out, const char *name)
{
    size_t length = strlen(name);

    g_assert(length >= 1 && length <= ZC_WIRE_NAME_MAX);
    zc_append_u8(out, (uint8_t)length);
    g_byte_array_append(out, (const uint8_t *)name, (guint)length);
}

/* ---- taking, bounded */

struct zc_cursor {
    const uint8_t *at;
    size_t left;
};

static inline bool zc_cursor_bytes(struct zc_cursor *cursor, size_t n_bytes,
                                   const uint8_t **bytes_out)
{
    if (cursor->left < n_bytes) {
        return false;
    }
    *bytes_out = cursor->at;
    cursor->at += n_bytes;
    cursor->left -= n_bytes;
    return true;
}

static inline bool zc_cursor_u8(struct zc_cursor *cursor, uint8_t *value_out)
{
    const uint8_t *in;

    if (!zc_cursor_bytes(cursor, 1, &in)) {
        return false;
    }
    *value_out = in[0];
    return true;
}

static inline bool zc_cursor_u16(struct zc_cursor *cursor, uint16_t *value_out)
{
    const uint8_t *in;

    if (!zc_cursor_bytes(cursor, 2, &in)) {
        return false;
    }
    *value_out = zc_get_u16(in);
    return true;
}

static inline bool zc_cursor_u32(struct zc_cursor *cursor, uint32_t *value_out)
{
    const uint8_t *in;

    if (!zc_cursor_bytes(cursor, 4, &in)) {
        return false;
    }
    *value_out = zc_get_u32(in);
    return true;
}

static inline bool zc_cursor_u64(struct zc_cursor *cursor, uint64_t *value_out)
{
    const uint8_t *in;

    if (!zc_cursor_bytes(cursor, 8, &in)) {
        return false;
    }
    *value_out = zc_get_u64(in);
    return true;
}

/* ---- names */

/* What a peer's text may consist of, so that it can be printed as it is. */
static inline bool zc_is_printable(uint8_t character)
{
    return character >= 0x20 && character <= 0x7e;
}

/* Copies @length characters to @name_out with a NUL; false for an empty or unprintable name. */
static inline bool zc_name_copy(char name_out[static ZC_WIRE_NAME_MAX + 1], const uint8_t *in,
                                size_t length)
{
    if (length < 1 || length > ZC_WIRE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!zc_is_printable(in[i])) {
            return false;
        }
    }
    memcpy(name_out, in, length);
    name_out[length] = '\0';
    return true;
}

#endif
