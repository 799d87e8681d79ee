/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks on while a session passes, and records a digest of every page: what the
 * source sent last of each.  Nothing is held up or changed.  A stream that it does
 * not understand makes the manifest fail, never the session.
 *
 * One thread: that of the relay.
 */
#ifndef ZC_RELAY_TAP_H
#define ZC_RELAY_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

struct zc_tap;
struct zc_tap_stream; /* what one connection says, source to destination */

/* Gives up on a source that announces more than @ram_bytes_max; takes 12 bytes a page of the rest. */
struct zc_tap *zc_tap_new(uint64_t ram_bytes_max);
void zc_tap_free(struct zc_tap *tap); /* with its streams; accepts NULL */

/* The tap's own. */
struct zc_tap_stream *zc_tap_add_main(struct zc_tap *tap);
struct zc_tap_stream *zc_tap_add_channel(struct zc_tap *tap);

/* A zc_flow_tap; @stream is a struct zc_tap_stream. */
void zc_tap_take(void *stream, const uint8_t *bytes, size_t length);

/*
 * Channels are not to be read before this: until the main stream has named the RAM blocks, nobody
 * knows what a packet speaks of.  Also true once the tap has given up.
 */
bool zc_tap_is_ready(const struct zc_tap *tap);

uint64_t zc_tap_pages(const struct zc_tap *tap); /* recorded, repetitions too */

/* Errors: why it gave up; PROTOCOL when RAM did not come to its end; OUTPUT. */
bool zc_tap_save(struct zc_tap *tap, const char *path, GError **error);

#endif
