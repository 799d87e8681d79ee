/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a guest decides some of the state (which of its memory is plugged
 * in), so a footer in the midst of it is told from its own by what follows:
 * another section's head, RAM's START, a PART or END of RAM and its first
 * record, or a command of the right length.  A guest that goes to the length
 * of imitating all that breaks its own migration, and nothing else.
 */
#include "config.h"

#include <string.h>

#include <glib.h>

#include "wire/bytes.h"
#include "wire/early.h"
#include "wire/extension.h"
#include "wire/stream-format.h"
#include "wire/stream.h"

#define FOOTER_BYTES 5u
#define FLAGS_MASK ((uint64_t)ZC_WIRE_PAGE_BYTES - 1)

enum verdict { NO, YES, MORE };

/* 04 | id32 | len8 name | instance32 | version32 */
static enum verdict follows_section(const uint8_t *at, size_t left)
{
    char name[ZC_STREAM_NAME_BYTES];

    if (left < 6) {
        return MORE;
    }
    if (at[5] == 0) {
        return NO;
    }
    if (left < 6u + at[5] + 8u) {
        return MORE;
    }
    return zc_name_copy(name, at + 6, at[5]) ? YES : NO;
}

/* 01 | id32 | 3 "ram" | instance32 = 0 | version32 = 4 */
static enum verdict follows_start(const uint8_t *at, size_t left)
{
    static const uint8_t head[] = { 3, 'r', 'a', 'm', 0, 0, 0, 0, 0, 0, 0, 4 };

    if (left < 5 + sizeof(head)) {
        return MORE;
    }
    return memcmp(at + 5, head, sizeof(head)) == 0 ? YES : NO;
}

/* 02 or 03 | id32 | record be64 */
static enum verdict follows_ram(const uint8_t *at, size_t left, uint32_t ram_id)
{
    if (left < 5 + 8) {
        return MORE;
    }
    if (zc_get_u32(at + 1) != ram_id) {
        return NO;
    }
    uint64_t record = zc_get_u64(at + 5);
    switch (record & FLAGS_MASK & ~(uint64_t)ZC_RECORD_CONTINUE) {
    case ZC_RECORD_ZERO:
    case ZC_RECORD_PAGE:
        return YES;
    default:
        return record == ZC_RECORD_EOS || record == ZC_RECORD_MULTIFD_FLUSH ? YES : NO;
    }
}

/* 08 | command16 | length16: the commands of a pre-copy that may come here, and zcmig's. */
static enum verdict follows_command(const uint8_t *at, size_t left)
{
    static const struct {
        uint16_t command, length;
    } known[] = {
        { ZC_COMMAND_OPEN_RETURN_PATH, 0 },
        { ZC_COMMAND_PING, 4 },
        { ZC_COMMAND_SWITCHOVER_START, 0 },
    };

    if (left < 5) {
        return MORE;
    }
    if (zc_get_u16(at + 1) == ZC_EXTENSION_COMMAND) {
        return YES;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (zc_get_u16(at + 1) == known[i].command && zc_get_u16(at + 3) == known[i].length) {
            return YES;
        }
    }
    return NO;
}

/* Whether what is at @at can follow the section. */
static enum verdict follows(const uint8_t *at, size_t left, const struct zc_early *early)
{
    if (left == 0) {
        return MORE;
    }
    switch (*at) {
    case ZC_SECTION_FULL:
        return follows_section(at, left);
    case ZC_SECTION_START:
        return early->ram_started ? NO : follows_start(at, left);
    case ZC_SECTION_PART:
    case ZC_SECTION_END:
        return early->ram_started ? follows_ram(at, left, early->ram_id) : NO;
    case ZC_ITEM_COMMAND:
        return follows_command(at, left);
    default:
        return NO;
    }
}

size_t zc_early_find(const uint8_t *bytes, size_t length, const struct zc_early *early,
                     size_t *searched)
{
    for (; length >= FOOTER_BYTES && *searched <= length - FOOTER_BYTES; ++*searched) {
        const uint8_t *footer = bytes + *searched;
        if (footer[0] != ZC_ITEM_FOOTER || zc_get_u32(footer + 1) != early->id) {
            continue;
        }
        size_t end = *searched + FOOTER_BYTES;
        enum verdict verdict = follows(bytes + end, length - end, early);
        if (verdict != NO) {
            return verdict == YES ? end : 0;
        }
    }
    return 0;
}
