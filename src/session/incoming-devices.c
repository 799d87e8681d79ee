/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU's device state at the destination: kept as it comes, proven to be
 * whole, given to the store.
 *
 * Design: device sections have no lengths, and with a return path the source
 * does not close behind them.  So everything from the first of them on is
 * gathered until wire/tail.h finds the description that ends it; then each
 * section must have exactly the length that the description says.  What comes
 * behind the description is left in the input.  The gathering is bounded: by
 * bytes, and by the patience with a silent source.
 *
 * Sections that come before RAM is whole (wire/early.h) are kept apart, so that
 * they can be sent again in their place; the description speaks of them too.
 */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "session/incoming.h"
#include "wire/early.h"
#include "wire/tail.h"

#define TAIL_BYTES_MAX (64u << 20)
#define DESCRIPTION_BYTES_MAX (16u << 20)
#define SECTIONS_MAX 4096u
#define EARLY_BYTES_MAX (768u << 10) /* of one section; a virtio-mem of 1 TiB has 64 KiB */

/* ------------------------------------------------------------- the guest's name */

void zc_incoming_keep_configuration(struct zc_incoming *in, const struct zc_stream_event *event)
{
    size_t length = event->configuration.length;

    if (in->snapshot.configuration) {
        return; /* on a new connection: the guest is the one that it was */
    }
    /* The event was taken off the front of the input: its bytes are right before. */
    in->snapshot.configuration = g_bytes_new(in->input.bytes - length, length);
    in->snapshot.machine = g_strdup(event->configuration.machine);
    if (event->configuration.has_uuid) {
        in->snapshot.has_uuid = true;
        memcpy(in->snapshot.uuid, event->configuration.uuid, sizeof(in->snapshot.uuid));
    }
}

/* -------------------------------------------------------------- the tail whole */

/* Moves bytes from the input to @tail until it is whole.  False: reported. */
static bool gather(struct zc_incoming *in, GByteArray *tail, struct zc_tail *parts)
{
    size_t searched = 0;
    GError *error = NULL;

    for (;;) {
        g_byte_array_append(tail, in->input.bytes, (guint)in->input.length);
        size_t n = in->input.length;
        if (zc_tail_find(tail->data, tail->len, DESCRIPTION_BYTES_MAX, &searched, parts)) {
            size_t beyond = tail->len - parts->bytes;
            g_byte_array_set_size(tail, (guint)parts->bytes);
            zc_input_take(&in->input, n - MIN(beyond, n));
            return true;
        }
        zc_input_take(&in->input, n);
        if (tail->len > TAIL_BYTES_MAX) {
            zc_error(&error, ZCMIG_ERROR_LIMIT,
                     "device state: got more than %u MiB without a description at its end",
                     TAIL_BYTES_MAX >> 20);
            return zc_incoming_fail(in, error);
        }
        if (!zc_incoming_more(in)) {
            return false;
        }
    }
}

/* Every section must meet its footer; their list is for the store. */
static bool index_devices(struct zc_incoming *in, const GByteArray *tail,
                          const struct zc_tail *parts)
{
    g_autofree struct zc_tail_section *sections = g_new(struct zc_tail_section, SECTIONS_MAX);
    const struct zc_tail_sections early = { in->early->data, in->early->len };
    unsigned int n_early = 0;
    GError *error = NULL;
    int n = zc_tail_index(tail->data, parts, &early, sections, SECTIONS_MAX, &n_early, &error);

    for (int i = 0; i < n; i++) {
        struct zc_snapshot_device device = { .instance = sections[i].instance,
                                             .version = sections[i].version,
                                             .bytes = sections[i].bytes,
                                             .is_early = (unsigned int)i < n_early };
        g_strlcpy(device.name, sections[i].name, sizeof(device.name));
        g_array_append_val(in->snapshot.devices, device);
    }
    return n >= 0 || zc_incoming_fail(in, error);
}

/* The decoder did not see the tail: it is told where it ends, and reads EOF and the description. */
static bool tell_decoder(struct zc_incoming *in, const GByteArray *tail,
                         const struct zc_tail *parts, size_t n_seen)
{
    struct zc_stream_event event;
    size_t at = parts->devices_bytes, used = 0;
    GError *error = NULL;

    if (!zc_stream_decoder_after_devices(in->decoder, parts->devices_bytes - n_seen)) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL, "device state before the end of RAM");
        return zc_incoming_fail(in, error);
    }
    for (; at < parts->bytes; at += used + event.payload_bytes) {
        enum zc_stream_result got = zc_stream_decoder_next(
            in->decoder, tail->data + at, parts->bytes - at, &used, &event, &error);
        if (got != ZC_STREAM_GOT) {
            if (!error) {
                zc_error(&error, ZCMIG_ERROR_PROTOCOL, "device state: its end is not whole");
            }
            return zc_incoming_fail(in, error);
        }
    }
    return true;
}

/* Whether there is a place for device state at all. */
static bool may_keep(struct zc_incoming *in, const struct zc_stream_event *event)
{
    GError *error = NULL;

    if (in->store->ops->keep_state) {
        return true;
    }
    zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
             "the source sends the state of device '%s', and an image has room for RAM only: "
             "dir:SNAPSHOT keeps both",
             event->section.name);
    return zc_incoming_fail(in, error);
}

/* The head that the decoder took. */
static void put_head(GByteArray *bytes, const struct zc_stream_event *event)
{
    zc_stream_put_section_full(bytes, event->section.id, event->section.name,
                               event->section.instance, event->section.version);
}

bool zc_incoming_take_devices(struct zc_incoming *in, const struct zc_stream_event *event)
{
    GByteArray *tail = g_byte_array_new();
    struct zc_tail parts;

    if (!may_keep(in, event)) {
        g_byte_array_unref(tail);
        return false;
    }
    put_head(tail, event);
    size_t n_seen = tail->len;
    bool good = gather(in, tail, &parts) && index_devices(in, tail, &parts) &&
                tell_decoder(in, tail, &parts, n_seen);
    if (good) {
        zc_debug("%u device sections of %zu bytes", in->snapshot.devices->len, parts.devices_bytes);
        in->snapshot.tail = g_byte_array_free_to_bytes(g_steal_pointer(&tail));
    }
    if (tail) {
        g_byte_array_unref(tail);
    }
    return good;
}

/* ------------------------------------------------------- before RAM is whole */

/* The input, which has so many bytes of a section's state, has no room for more. */
static bool fail_early(struct zc_incoming *in, const struct zc_stream_event *event, size_t bytes)
{
    GError *error = NULL;

    zc_error(&error, ZCMIG_ERROR_LIMIT,
             "device '%s', before RAM is whole: got %zu bytes without the end of its state",
             event->section.name, bytes);
    return zc_incoming_fail(in, error);
}

bool zc_incoming_take_early(struct zc_incoming *in, const struct zc_stream_event *event)
{
    struct zc_early early = { .id = event->section.id,
                              .ram_started = in->ram_started,
                              .ram_id = in->snapshot.ram_section_id };
    size_t searched = 0, n;
    GError *error = NULL;

    if (!may_keep(in, event)) {
        return false;
    }
    if (in->early->len && in->snapshot.early_before_ram == in->ram_started) {
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "device '%s': got state before RAM's START and state behind it, allowed is one of "
                 "them",
                 event->section.name);
        return zc_incoming_fail(in, error);
    }
    in->snapshot.early_before_ram = !in->ram_started;
    while ((n = zc_early_find(in->input.bytes, in->input.length, &early, &searched)) == 0) {
        if (in->input.length > EARLY_BYTES_MAX) {
            return fail_early(in, event, in->input.length);
        }
        if (!zc_incoming_more(in)) {
            return false;
        }
    }
    zc_debug("device '%s': %zu bytes of state before RAM is whole", event->section.name, n);
    put_head(in->early, event);
    g_byte_array_append(in->early, in->input.bytes, (guint)n);
    zc_input_take(&in->input, n);
    return zc_stream_decoder_after_early(in->decoder, n);
}

/* ------------------------------------------------------------- to the store */

bool zc_incoming_keep_state(struct zc_incoming *in)
{
    GError *error = NULL;

    if (!in->store->ops->keep_state) {
        return true;
    }
    if (in->early->len && !in->snapshot.tail) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "device state came before RAM was whole, and no description of it after that");
        return zc_incoming_fail(in, error);
    }
    if (in->early->len) {
        in->snapshot.early = g_bytes_new(in->early->data, in->early->len);
    }
    if (!in->snapshot.has_uuid && in->has_session) {
        memcpy(in->snapshot.uuid, in->peer.session.uuid, sizeof(in->snapshot.uuid));
        in->snapshot.has_uuid = true;
    }
    if (!in->snapshot.has_uuid && in->acceptor) {
        in->snapshot.has_uuid = zc_acceptor_get_uuid(in->acceptor, in->snapshot.uuid);
    }
    return in->store->ops->keep_state(in->store, &in->snapshot, in->place.arrival, &error) ||
           zc_incoming_fail(in, error);
}
