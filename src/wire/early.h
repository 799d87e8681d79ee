/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device state that comes while RAM is not yet whole: QEMU 10.0 sends that of a
 * virtio-mem device ("...-early") right behind RAM's START.
 *
 * Such a section has no length, and its description comes only at the end of
 * the stream.  So its end is where its footer is followed by something that can
 * follow it; whether that was right, the description tells afterwards
 * (wire/tail.h), before anything of it is kept.  Pure.
 */
#ifndef ZC_WIRE_EARLY_H
#define ZC_WIRE_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_early {
    uint32_t id;      /* of the section */
    bool ram_started; /* RAM's START was read */
    uint32_t ram_id;  /* then: its section id */
};

/*
 * @bytes begin behind the section's head.  Returns the length of state and footer, or 0 when more
 * bytes are needed.  Called again with more of them and the same *@searched (0 at first), it goes
 * on where it was.
 */
size_t zc_early_find(const uint8_t *bytes, size_t length, const struct zc_early *early,
                     size_t *searched);

#endif
