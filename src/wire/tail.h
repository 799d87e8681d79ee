/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tail of QEMU's main stream: device state, which has no lengths, and
 * behind it the description in JSON, from which the lengths follow.
 *
 *     { 04 | id32 | len8 name | instance32 | version32 | state | 7e | id32 }  00  06 | len32 | JSON
 *       `-------------------- a device section -----------------------'
 *
 * A receiver that is no QEMU can so keep the tail without understanding it,
 * know when it is whole (the connection stays open), and prove that it is.
 * Pure: no I/O, no allocation.
 */
#ifndef ZC_WIRE_TAIL_H
#define ZC_WIRE_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define ZC_TAIL_NAME_BYTES 256
#define ZC_TAIL_DEPTH_MAX 64 /* of the JSON; QEMU's has about ten */

/* Where the parts of a whole tail are, in bytes from its beginning. */
struct zc_tail {
    size_t devices_bytes;      /* the device sections; the EOF mark is at this offset */
    size_t description_offset; /* of the JSON itself */
    size_t description_bytes;
    size_t bytes; /* of all of it */
};

struct zc_tail_section {
    uint32_t id;
    char name[ZC_TAIL_NAME_BYTES]; /* idstr: "timer", "0000:00:01.0/piix3" */
    uint32_t instance;
    uint32_t version;
    size_t offset; /* of the section, its type byte */
    size_t bytes;  /* its footer included */
    size_t state_offset;
    size_t state_bytes;
};

/*
 * Whether the first @length bytes of a tail hold all of it.  Called again when more bytes are
 * there, with the same *@searched (0 at first), it goes on where it was.  A description over
 * @description_max bytes is none.  What looks like one in the midst of device state is told from
 * it by being no whole JSON object with a list of devices.
 */
bool zc_tail_find(const uint8_t *bytes, size_t length, size_t description_max, size_t *searched,
                  struct zc_tail *tail_out);

/* Sections of device state one behind the other. */
struct zc_tail_sections {
    const uint8_t *bytes;
    size_t length;
};

/*
 * Cuts the tail into its device sections: each must begin with the name and instance of the next
 * device of the description and meet its footer after as many bytes as that says.  Devices whose
 * state was sent before RAM was whole come first in the description: @early are their sections, or
 * NULL.  Returns the number of sections, of which the first *@n_early_out (or NULL) are early ones,
 * with offsets in @early; at most @max; or -1 with @error: ZCMIG_ERROR_PROTOCOL (section, offset,
 * what was got), ZCMIG_ERROR_LIMIT (more than @max).
 */
int zc_tail_index(const uint8_t *bytes, const struct zc_tail *tail,
                  const struct zc_tail_sections *early, struct zc_tail_section *sections,
                  unsigned int max, unsigned int *n_early_out, GError **error);

#endif
