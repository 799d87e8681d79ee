/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one fixed head, then 24 bytes a writer; the length follows from the
 * number of writers and must be exact.
 *
 *     0  magic "ZCSG"    16 dirty     40 hot_ppm    52 flags (memfd 1, hugepages 2)
 *     4  version         24 seed      44 zero_ppm   56 boot_id, 16 bytes
 *     8  size            32 pattern   48 writers    72 per writer: key, writes, last_write_ns
 *                        36 length of all
 */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "guest/synthetic.h"

#define MAGIC 0x5a435347u
#define STATE_VERSION 1u
#define HEAD_BYTES 72u
#define WRITER_BYTES 24u
#define FLAG_MEMFD 1u
#define FLAG_HUGEPAGES 2u

G_STATIC_ASSERT(ZC_SYNTHETIC_STATE_BYTES_MAX ==
                HEAD_BYTES + WRITER_BYTES * ZC_SYNTHETIC_WRITERS_MAX);

static void put32(uint8_t *at, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return GUINT32_FROM_BE(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_BE(value);
}

size_t zc_synthetic_state_encode(const struct zc_synthetic_state *state, uint8_t *out)
{
    const struct zc_synthetic_options *options = &state->options;
    size_t length = HEAD_BYTES + WRITER_BYTES * options->writers;

    put32(out, MAGIC);
    put32(out + 4, STATE_VERSION);
    put64(out + 8, options->size_bytes);
    put64(out + 16, options->dirty_bytes);
    put64(out + 24, options->seed);
    put32(out + 32, (uint32_t)options->pattern);
    put32(out + 36, (uint32_t)length);
    put32(out + 40, options->hot_ppm);
    put32(out + 44, options->zero_ppm);
    put32(out + 48, options->writers);
    put32(out + 52, (options->memfd ? FLAG_MEMFD : 0) | (options->hugepages ? FLAG_HUGEPAGES : 0));
    memcpy(out + 56, state->boot_id, sizeof(state->boot_id));
    for (uint32_t i = 0; i < options->writers; i++) {
        uint8_t *at = out + HEAD_BYTES + (size_t)i * WRITER_BYTES;
        put64(at, state->writers[i].key);
        put64(at + 8, state->writers[i].writes);
        put64(at + 16, (uint64_t)state->writers[i].last_write_ns);
    }
    return length;
}

static bool load_writers(const uint8_t *bytes, struct zc_synthetic_state *state, GError **error)
{
    for (uint32_t i = 0; i < state->options.writers; i++) {
        const uint8_t *at = bytes + (size_t)i * WRITER_BYTES;
        struct zc_synthetic_writer_state *writer = &state->writers[i];
        writer->key = get64(at);
        writer->writes = get64(at + 8);
        uint64_t last_write_ns = get64(at + 16);
        if (writer->writes > INT64_MAX || last_write_ns > INT64_MAX) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "guest state: writer %u: got %" G_GUINT64_FORMAT
                            " writes, the last at %" G_GUINT64_FORMAT " ns, allowed are 63 bits",
                            i, writer->writes, last_write_ns);
        }
        writer->last_write_ns = (int64_t)last_write_ns;
    }
    return true;
}

bool zc_synthetic_load_state(const uint8_t *bytes, size_t length,
                             struct zc_synthetic_state *state_out, GError **error)
{
    struct zc_synthetic_state state = { .boot_id = { 0 } };

    if (length < HEAD_BYTES || get32(bytes) != MAGIC) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "guest state: got %zu bytes that do not begin as one", length);
    }
    if (get32(bytes + 4) != STATE_VERSION) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "guest state: got version %u, allowed is %u",
                        get32(bytes + 4), STATE_VERSION);
    }
    uint32_t flags = get32(bytes + 52);
    state.options = (struct zc_synthetic_options){
        .size_bytes = get64(bytes + 8),
        .dirty_bytes = get64(bytes + 16),
        .seed = get64(bytes + 24),
        .pattern = (enum zc_synthetic_pattern)get32(bytes + 32),
        .hot_ppm = get32(bytes + 40),
        .zero_ppm = get32(bytes + 44),
        .writers = get32(bytes + 48),
        .memfd = flags & FLAG_MEMFD,
        .hugepages = flags & FLAG_HUGEPAGES,
    };
    if (!zc_synthetic_options_check(&state.options, ZCMIG_ERROR_PROTOCOL, error)) {
        return false;
    }
    size_t expected = HEAD_BYTES + WRITER_BYTES * state.options.writers;
    if (length != expected || get32(bytes + 36) != expected || flags > 3) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "guest state: got %zu bytes, says %u, flags %u, allowed are %zu for %u "
                        "writers, flags to 3",
                        length, get32(bytes + 36), flags, expected, state.options.writers);
    }
    memcpy(state.boot_id, bytes + 56, sizeof(state.boot_id));
    if (!load_writers(bytes + HEAD_BYTES, &state, error)) {
        return false;
    }
    *state_out = state;
    return true;
}
