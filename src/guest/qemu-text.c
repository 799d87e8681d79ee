/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a line of "info ramblock" is read from its end, because only the
 * name, in front, may hold blanks; which word is which the line of headings
 * tells, so that a column more does no harm:
 *
 *     "  Block Name    PSize              Offset  Used  Total   HVA  RO"
 *     "      pc.ram    4 KiB  0x0000000000000000  0x..  0x..    0x..  rw"
 *
 * A line of "info mtree -f", below the "FlatView" that lists AS "memory":
 *
 *     "  0000000100000000-000000017fffffff (prio 0, ram): pc.ram @00000000c0000000"
 */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "guest/qemu-text.h"

#define COLUMNS_MAX 16
#define PIECES_MAX 65536u
#define ADDRESS_DIGITS 16

enum column { COLUMN_OTHER, COLUMN_OFFSET, COLUMN_USED, COLUMN_TOTAL, COLUMN_HOST };

/* The columns behind the name, in words. */
struct columns {
    enum column of[COLUMNS_MAX];
    unsigned int n;
};

/* --------------------------------------------------------------- info ramblock */

static bool read_headings(char **headings, struct columns *columns)
{
    static const struct {
        const char *heading;
        enum column column;
    } known[] = {
        { "Offset", COLUMN_OFFSET },
        { "Used", COLUMN_USED },
        { "Total", COLUMN_TOTAL },
        { "HVA", COLUMN_HOST },
    };
    unsigned int n_needed = 0;

    columns->n = 0;
    for (char **at = headings; *at; at++) {
        bool is_size = strcmp(*at, "PSize") == 0;
        enum column column = COLUMN_OTHER;
        if (!**at || strcmp(*at, "Block") == 0 || strcmp(*at, "Name") == 0) {
            continue;
        }
        if (columns->n + 2 > COLUMNS_MAX) {
            return false;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
            column = strcmp(*at, known[i].heading) == 0 ? known[i].column : column;
        }
        n_needed += column == COLUMN_OFFSET || column == COLUMN_USED || column == COLUMN_TOTAL;
        columns->of[columns->n++] = column;
        if (is_size) {
            columns->of[columns->n++] = COLUMN_OTHER; /* "4 KiB" are two words */
        }
    }
    return n_needed == 3;
}

/* Cuts the last word off @line; NULL when there is none. */
static char *cut_word(char *line)
{
    g_strchomp(line);
    char *blank = strrchr(line, ' ');
    char *word = blank ? blank + 1 : line;

    if (!*word) {
        return NULL;
    }
    if (blank) {
        *blank = '\0';
        return word;
    }
    return NULL; /* the first word belongs to the name */
}

static bool read_number(const char *word, uint64_t *number_out)
{
    return g_str_has_prefix(word, "0x") &&
           g_ascii_string_to_unsigned(word + 2, 16, 0, UINT64_MAX, number_out, NULL);
}

/* @line, which is changed. */
static bool read_block(char *line, const struct columns *columns, struct zc_qemu_block *block)
{
    memset(block, 0, sizeof(*block));
    for (unsigned int i = columns->n; i-- > 0;) {
        uint64_t *number = NULL;
        char *word = cut_word(line);
        if (!word) {
            return false;
        }
        switch (columns->of[i]) {
        case COLUMN_OFFSET:
            number = &block->offset;
            break;
        case COLUMN_USED:
            number = &block->used_bytes;
            break;
        case COLUMN_TOTAL:
            number = &block->total_bytes;
            break;
        case COLUMN_HOST:
            number = &block->host;
            break;
        case COLUMN_OTHER:
            break;
        }
        if (number && !read_number(word, number)) {
            return false;
        }
    }
    g_strstrip(line);
    return g_strlcpy(block->name, line, sizeof(block->name)) < sizeof(block->name) &&
           block->used_bytes <= block->total_bytes &&
           block->total_bytes <= UINT64_MAX - block->host;
}

bool zc_qemu_text_blocks(const char *text, GArray *blocks, GError **error)
{
    g_auto(GStrv) lines = g_strsplit_set(text, "\r\n", -1);
    struct columns columns = { .n = 0 };

    for (char **line = lines; *line; line++) {
        struct zc_qemu_block block;
        g_autofree char *shown = g_strdup(*line);
        if (!*g_strstrip(shown)) {
            continue;
        }
        if (!columns.n) {
            g_auto(GStrv) headings = g_strsplit(*line, " ", -1);
            if (!strstr(*line, "Block Name") || !read_headings(headings, &columns)) {
                return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                                "info ramblock: got '%s', allowed is the heading of its table",
                                shown);
            }
            continue;
        }
        if (!read_block(*line, &columns, &block)) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "info ramblock: got '%s', which is no line of its table", shown);
        }
        if (*block.name && blocks->len == ZC_BLOCKS_MAX) {
            return zc_error(error, ZCMIG_ERROR_LIMIT, "info ramblock: more than %u blocks",
                            ZC_BLOCKS_MAX);
        }
        if (*block.name) {
            g_array_append_val(blocks, block);
        }
    }
    return columns.n || zc_error(error, ZCMIG_ERROR_PROTOCOL, "info ramblock: got nothing");
}

/* --------------------------------------------------------------- info mtree -f */

/* ADDRESS_DIGITS of hexadecimal at *@at, which is moved behind them. */
static bool read_address(const char **at, uint64_t *address_out)
{
    uint64_t address = 0;

    for (unsigned int i = 0; i < ADDRESS_DIGITS; i++) {
        int digit = g_ascii_xdigit_value(**at);
        if (digit < 0) {
            return false;
        }
        address = address << 4 | (unsigned int)digit;
        ++*at;
    }
    *address_out = address;
    return true;
}

static bool skip(const char **at, const char *expected)
{
    size_t length = strlen(expected);

    if (strncmp(*at, expected, length) != 0) {
        return false;
    }
    *at += length;
    return true;
}

/* "ram" and "rom" can be read without an effect; all else that may stand there is passed over. */
static bool read_type(const char **at)
{
    const char *comma = strchr(*at, ',');
    const char *colon = comma ? strstr(comma, "): ") : NULL;

    if (!colon) {
        return false;
    }
    *at = colon + strlen("): ");
    return strncmp(comma, ", ram)", 6) == 0 || strncmp(comma, ", rom)", 6) == 0;
}

/* Whether @line tells of RAM that can be read. */
static bool read_piece(const char *line, struct zc_qemu_piece *piece)
{
    const char *at = line;
    uint64_t last;

    memset(piece, 0, sizeof(*piece));
    while (*at == ' ') {
        at++;
    }
    if (!read_address(&at, &piece->guest_address) || !skip(&at, "-") || !read_address(&at, &last) ||
        !skip(&at, " (prio ") || !read_type(&at) || last < piece->guest_address ||
        last - piece->guest_address == UINT64_MAX) {
        return false;
    }
    piece->bytes = last - piece->guest_address + 1;
    size_t length = strcspn(at, " "); /* an accelerator's name may follow */
    if (length >= sizeof(piece->region)) {
        return false;
    }
    memcpy(piece->region, at, length);
    at += length;
    return !skip(&at, " @") || read_address(&at, &piece->offset);
}

bool zc_qemu_text_layout(const char *text, GArray *pieces, GError **error)
{
    g_auto(GStrv) lines = g_strsplit_set(text, "\r\n", -1);
    bool is_memory = false, found = false;

    for (char **line = lines; *line; line++) {
        struct zc_qemu_piece piece;
        if (g_str_has_prefix(*line, "FlatView ")) {
            is_memory = false;
        } else if (g_str_has_prefix(*line, " AS \"memory\",")) {
            is_memory = found = true;
        } else if (is_memory && read_piece(*line, &piece)) {
            if (pieces->len == PIECES_MAX) {
                return zc_error(error, ZCMIG_ERROR_LIMIT, "info mtree: more than %u pieces of RAM",
                                PIECES_MAX);
            }
            g_array_append_val(pieces, piece);
        }
    }
    return found ||
           zc_error(error, ZCMIG_ERROR_PROTOCOL, "info mtree: got no address space 'memory'");
}

bool zc_qemu_text_is_region(const char *region, const char *block)
{
    const char *slash = strrchr(block, '/');

    return strcmp(region, block) == 0 || (slash && strcmp(region, slash + 1) == 0);
}
