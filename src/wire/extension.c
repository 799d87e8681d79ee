/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a type byte, fixed fields, and at most one field of free length at
 * the end (digests or text), whose length is what the command around the
 * message says.  A message with bytes too few or too many is refused.
 */
#include "config.h"

#include "base/error.h"
#include "wire/bytes.h"
#include "wire/extension.h"

#define DIGEST_BYTES 8u
#define BASE_BYTES 8u
#define IDENTITY_BYTES 16u
#define TEXT_MAX (ZC_EXTENSION_TEXT_BYTES - 1)
/* A multifd channel's id is one byte. */
#define CHANNELS_MAX 256u
/* No page lies beyond 2^63 bytes. */
#define PAGES_MAX ((uint64_t)INT64_MAX / ZC_WIRE_PAGE_BYTES)

static void put_text(GByteArray *out, const char text[static ZC_EXTENSION_TEXT_BYTES])
{
    g_byte_array_append(out, (const uint8_t *)text, (guint)strnlen(text, TEXT_MAX));
}

static void put_memory(GByteArray *out, const struct zc_extension *message)
{
    g_assert(message->memory.n_blocks >= 1 && message->memory.n_blocks <= ZC_EXTENSION_MEMORY_MAX);
    for (uint32_t i = 0; i < message->memory.n_blocks; i++) {
        zc_append_u64(out, message->memory.blocks[i].device);
        zc_append_u64(out, message->memory.blocks[i].inode);
    }
}

/* Of a session that outlives its connections. */
static void put_of_kept(GByteArray *out, const struct zc_extension *message)
{
    if (message->type == ZC_EXTENSION_KEEP) {
        g_byte_array_append(out, message->keep.secret, sizeof(message->keep.secret));
        zc_append_u32(out, message->keep.seconds);
    } else if (message->type == ZC_EXTENSION_RESUME) {
        g_byte_array_append(out, message->resume.uuid, sizeof(message->resume.uuid));
        g_byte_array_append(out, message->resume.secret, sizeof(message->resume.secret));
        g_byte_array_append(out, message->resume.token, sizeof(message->resume.token));
    } else if (message->type == ZC_EXTENSION_RESUMED) {
        zc_append_u8(out, message->resumed.runs);
        zc_append_u64(out, message->resumed.ran_ns);
        zc_append_u64(out, message->resumed.barriers);
    }
}

void zc_extension_put(GByteArray *out, const struct zc_extension *message)
{
    zc_append_u8(out, (uint8_t)message->type);
    switch (message->type) {
    case ZC_EXTENSION_SESSION:
        g_byte_array_append(out, message->session.uuid, sizeof(message->session.uuid));
        zc_append_u16(out, message->session.n_channels);
        zc_append_u8(out, message->session.verify);
        zc_append_u64(out, message->session.exact_bytes);
        zc_append_u8(out, message->session.live);
        zc_append_u8(out, message->session.route);
        g_assert(message->session.n_bases <= ZC_EXTENSION_BASES_MAX);
        g_byte_array_append(out, message->session.bases, message->session.n_bases * BASE_BYTES);
        return;
    case ZC_EXTENSION_MANIFEST:
        g_assert(message->manifest.n_digests >= 1 &&
                 message->manifest.n_digests <= ZC_EXTENSION_DIGESTS_MAX);
        zc_append_u32(out, message->manifest.block);
        zc_append_u64(out, message->manifest.first_page);
        zc_append_u32(out, message->manifest.n_digests);
        if (message->manifest.digests) {
            g_byte_array_append(out, message->manifest.digests,
                                message->manifest.n_digests * DIGEST_BYTES);
        }
        return;
    case ZC_EXTENSION_MANIFEST_END:
        zc_append_u64(out, message->manifest_end.n_pages);
        return;
    case ZC_EXTENSION_FAIL:
        zc_append_u8(out, message->fail.code);
        put_text(out, message->fail.text);
        return;
    case ZC_EXTENSION_RESULT:
        zc_append_u64(out, message->result.n_pages);
        zc_append_u64(out, message->result.n_wrong);
        put_text(out, message->result.text);
        return;
    case ZC_EXTENSION_READY:
        zc_append_u64(out, message->ready.barrier_ns);
        zc_append_u64(out, message->ready.load_ns);
        zc_append_u64(out, message->ready.verify_ns);
        return;
    case ZC_EXTENSION_RUN:
        return;
    case ZC_EXTENSION_OBSERVED:
        zc_append_u64(out, message->observed.writes);
        zc_append_u64(out, message->observed.gap_ns);
        return;
    case ZC_EXTENSION_MEMORY:
    case ZC_EXTENSION_MAPPED:
        put_memory(out, message);
        return;
    case ZC_EXTENSION_KEEP:
    case ZC_EXTENSION_RESUME:
    case ZC_EXTENSION_RESUMED:
    case ZC_EXTENSION_HEARD:
        put_of_kept(out, message);
        return;
    }
    g_assert_not_reached();
}

/* What is left of SESSION: an address for each block, and only by the route pull. */
static bool decode_bases(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    bool is_pull = out->session.route == ZC_SESSION_ROUTE_PULL;
    size_t n = cursor->left / BASE_BYTES;

    if (n > ZC_EXTENSION_BASES_MAX || (n > 0) != is_pull) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension SESSION: got %zu addresses of blocks, allowed are %s", n,
                        is_pull ? "1 to 1024 by the route pull" : "none but by the route pull");
    }
    out->session.n_bases = (uint32_t)n;
    return n == 0 || zc_cursor_bytes(cursor, n * BASE_BYTES, &out->session.bases);
}

static bool decode_session(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    const uint8_t *uuid;
    uint8_t live;

    if (!zc_cursor_bytes(cursor, sizeof(out->session.uuid), &uuid) ||
        !zc_cursor_u16(cursor, &out->session.n_channels) ||
        !zc_cursor_u8(cursor, &out->session.verify) ||
        !zc_cursor_u64(cursor, &out->session.exact_bytes) || !zc_cursor_u8(cursor, &live) ||
        !zc_cursor_u8(cursor, &out->session.route)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension SESSION is too short");
    }
    memcpy(out->session.uuid, uuid, sizeof(out->session.uuid));
    if (out->session.n_channels > CHANNELS_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension SESSION: got %u channels, allowed are %u",
                        out->session.n_channels, CHANNELS_MAX);
    }
    if (out->session.verify > ZC_VERIFY_BEFORE) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension SESSION: got verify mode %u, allowed are 0 to %u",
                        out->session.verify, ZC_VERIFY_BEFORE);
    }
    if (out->session.exact_bytes > INT64_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension SESSION: got an image of 0x%" G_GINT64_MODIFIER
                        "x bytes, allowed are less than 2^63",
                        out->session.exact_bytes);
    }
    if (live > 1) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension SESSION: got %u for a live guest, allowed are 0 and 1", live);
    }
    out->session.live = live;
    if (out->session.route > ZC_SESSION_ROUTE_MEMFD) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension SESSION: got route %u, allowed are 0 to %d", out->session.route,
                        ZC_SESSION_ROUTE_MEMFD);
    }
    return decode_bases(cursor, out, error);
}

static bool decode_manifest(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    if (!zc_cursor_u32(cursor, &out->manifest.block) ||
        !zc_cursor_u64(cursor, &out->manifest.first_page) ||
        !zc_cursor_u32(cursor, &out->manifest.n_digests)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension MANIFEST is too short");
    }
    if (out->manifest.n_digests < 1 || out->manifest.n_digests > ZC_EXTENSION_DIGESTS_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension MANIFEST: got %u digests, allowed are 1 to %u",
                        out->manifest.n_digests, ZC_EXTENSION_DIGESTS_MAX);
    }
    if (out->manifest.first_page > PAGES_MAX - out->manifest.n_digests) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension MANIFEST: got first page 0x%" G_GINT64_MODIFIER
                        "x, allowed are pages below 2^63 bytes",
                        out->manifest.first_page);
    }
    if (!zc_cursor_bytes(cursor, (size_t)out->manifest.n_digests * DIGEST_BYTES,
                         &out->manifest.digests)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension MANIFEST: got %zu bytes of digests, allowed are %u",
                        cursor->left, out->manifest.n_digests * DIGEST_BYTES);
    }
    return true;
}

static bool decode_text(struct zc_cursor *cursor, char text_out[static ZC_EXTENSION_TEXT_BYTES],
                        const char *what, GError **error)
{
    size_t length = cursor->left;
    const uint8_t *in;

    if (length > TEXT_MAX || !zc_cursor_bytes(cursor, length, &in)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension %s: got a text of %zu bytes, allowed are %d", what, length,
                        TEXT_MAX);
    }
    for (size_t i = 0; i < length; i++) {
        text_out[i] = zc_is_printable(in[i]) ? (char)in[i] : '?';
    }
    text_out[length] = '\0';
    return true;
}

static bool decode_fail(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    if (!zc_cursor_u8(cursor, &out->fail.code)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension FAIL is too short");
    }
    if (out->fail.code > ZCMIG_ERROR_TIMEOUT) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension FAIL: got code %u, allowed are 0 to %d", out->fail.code,
                        ZCMIG_ERROR_TIMEOUT);
    }
    return decode_text(cursor, out->fail.text, "FAIL", error);
}

static bool decode_result(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    if (!zc_cursor_u64(cursor, &out->result.n_pages) ||
        !zc_cursor_u64(cursor, &out->result.n_wrong)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension RESULT is too short");
    }
    return decode_text(cursor, out->result.text, "RESULT", error);
}

/* Times are taken as signed ones by everybody. */
static bool decode_ready(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    if (!zc_cursor_u64(cursor, &out->ready.barrier_ns) ||
        !zc_cursor_u64(cursor, &out->ready.load_ns) ||
        !zc_cursor_u64(cursor, &out->ready.verify_ns)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension READY is too short");
    }
    if (out->ready.barrier_ns > INT64_MAX || out->ready.load_ns > INT64_MAX ||
        out->ready.verify_ns > INT64_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension READY: got a time over 2^63 ns, which nobody has waited");
    }
    return true;
}

static bool decode_observed(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    if (!zc_cursor_u64(cursor, &out->observed.writes) ||
        !zc_cursor_u64(cursor, &out->observed.gap_ns)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension OBSERVED is too short");
    }
    if (out->observed.gap_ns > INT64_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension OBSERVED: got a time over 2^63 ns, which nobody has waited");
    }
    return true;
}

/* As many as there are bytes. */
static bool decode_memory(struct zc_cursor *cursor, struct zc_extension *out, const char *what,
                          GError **error)
{
    size_t n = cursor->left / IDENTITY_BYTES;

    if (n < 1 || n > ZC_EXTENSION_MEMORY_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension %s: got memory of %zu blocks, allowed are 1 to %d", what, n,
                        ZC_EXTENSION_MEMORY_MAX);
    }
    out->memory.n_blocks = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        zc_cursor_u64(cursor, &out->memory.blocks[i].device);
        zc_cursor_u64(cursor, &out->memory.blocks[i].inode);
    }
    return true;
}

/* 16 bytes. */
static bool take_id(struct zc_cursor *cursor, uint8_t id_out[static 16])
{
    const uint8_t *bytes;

    if (!zc_cursor_bytes(cursor, 16, &bytes)) {
        return false;
    }
    memcpy(id_out, bytes, 16);
    return true;
}

static bool decode_keep(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    return (take_id(cursor, out->keep.secret) && zc_cursor_u32(cursor, &out->keep.seconds)) ||
           zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension KEEP is too short");
}

static bool decode_resume(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    return (take_id(cursor, out->resume.uuid) && take_id(cursor, out->resume.secret) &&
            take_id(cursor, out->resume.token)) ||
           zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension RESUME is too short");
}

static bool decode_resumed(struct zc_cursor *cursor, struct zc_extension *out, GError **error)
{
    if (!zc_cursor_u8(cursor, &out->resumed.runs) || !zc_cursor_u64(cursor, &out->resumed.ran_ns) ||
        !zc_cursor_u64(cursor, &out->resumed.barriers)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension RESUMED is too short");
    }
    if (out->resumed.runs > 1 || out->resumed.ran_ns > INT64_MAX) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension RESUMED: got %u for a guest that runs, allowed are 0 and 1, and "
                        "times below 2^63 ns",
                        out->resumed.runs);
    }
    return true;
}

static bool decode_fields(struct zc_cursor *cursor, struct zc_extension *out, uint8_t type,
                          GError **error)
{
    switch (type) {
    case ZC_EXTENSION_SESSION:
        return decode_session(cursor, out, error);
    case ZC_EXTENSION_MANIFEST:
        return decode_manifest(cursor, out, error);
    case ZC_EXTENSION_MANIFEST_END:
        return zc_cursor_u64(cursor, &out->manifest_end.n_pages) ||
               zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension MANIFEST_END is too short");
    case ZC_EXTENSION_FAIL:
        return decode_fail(cursor, out, error);
    case ZC_EXTENSION_RESULT:
        return decode_result(cursor, out, error);
    case ZC_EXTENSION_READY:
        return decode_ready(cursor, out, error);
    case ZC_EXTENSION_RUN:
        return true;
    case ZC_EXTENSION_OBSERVED:
        return decode_observed(cursor, out, error);
    case ZC_EXTENSION_MEMORY:
        return decode_memory(cursor, out, "MEMORY", error);
    case ZC_EXTENSION_MAPPED:
        return decode_memory(cursor, out, "MAPPED", error);
    case ZC_EXTENSION_KEEP:
        return decode_keep(cursor, out, error);
    case ZC_EXTENSION_RESUME:
        return decode_resume(cursor, out, error);
    case ZC_EXTENSION_RESUMED:
        return decode_resumed(cursor, out, error);
    case ZC_EXTENSION_HEARD:
        return true;
    default:
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension: got message type %u, allowed are %d to %d", type,
                        ZC_EXTENSION_SESSION, ZC_EXTENSION_HEARD);
    }
}

bool zc_extension_decode(const uint8_t *bytes, size_t length, struct zc_extension *message_out,
                         GError **error)
{
    struct zc_cursor cursor = { bytes, length };
    uint8_t type;

    if (!zc_cursor_u8(&cursor, &type)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "extension: got an empty message");
    }
    struct zc_extension message = { .type = (enum zc_extension_type)type };
    if (!decode_fields(&cursor, &message, type, error)) {
        return false;
    }
    if (cursor.left) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "extension: message type %u has %zu bytes too many", type, cursor.left);
    }
    *message_out = message;
    return true;
}
