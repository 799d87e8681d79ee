/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of the stream decoder: what stream-decode.c, stream-ram.c and
 * stream-configuration.c share.  Private to wire/.
 *
 * A parse function takes one item from the front of the cursor.  It returns
 * MORE without having changed the decoder, GOT with the decoder moved to its
 * next phase, or what zc_stream_refuse returned.
 */
#ifndef ZC_WIRE_STREAM_DECODE_H
#define ZC_WIRE_STREAM_DECODE_H

#include "base/error.h"
#include "wire/bytes.h"
#include "wire/stream-format.h"
#include "wire/stream.h"

/* What is allowed next. */
enum zc_stream_phase {
    ZC_PHASE_HEADER,
    ZC_PHASE_CONFIGURATION,
    ZC_PHASE_ITEMS,       /* commands, sections, EOF */
    ZC_PHASE_RAM_SIZE,    /* of the START section: MEM_SIZE */
    ZC_PHASE_RAM_BLOCKS,  /* the rest of its list */
    ZC_PHASE_RAM_RECORDS, /* pages, FLUSH, EOS */
    ZC_PHASE_RAM_FOOTER,  /* of the section that EOS ended, and the item behind it */
    ZC_PHASE_DEVICES,     /* nothing, before zc_stream_decoder_after_devices or _early */
    ZC_PHASE_EOF,
    ZC_PHASE_TAIL,    /* description, extension commands */
    ZC_PHASE_REFUSED, /* nothing, for ever */
};

enum zc_ram_progress {
    ZC_RAM_NOT_STARTED,
    ZC_RAM_STARTED,
    ZC_RAM_ENDED,
};

struct zc_stream_block {
    char name[ZC_STREAM_NAME_BYTES];
    uint64_t used_bytes;
};

struct zc_stream_decoder {
    struct zc_stream_limits limits;
    enum zc_stream_phase phase;
    uint64_t offset; /* in the stream, of the next item */
    enum zc_ram_progress ram;
    uint32_t ram_section_id; /* valid from STARTED on */
    bool in_ram_end;         /* the RAM section being read is the END */
    bool postcopy_advised;   /* POSTCOPY_ADVISE with RAM page sizes was seen */
    bool described;
    uint64_t unlisted_bytes;        /* of MEM_SIZE, not yet named by a block */
    struct zc_stream_block *blocks; /* room for limits.blocks */
    uint32_t n_blocks;
    const struct zc_stream_block *current; /* of the last page record; NULL: none yet */
};

/* Sets @error, with the place, and refuses for ever.  Returns ZC_STREAM_ERROR. */
enum zc_stream_result zc_stream_refuse(struct zc_stream_decoder *decoder, GError **error,
                                       enum zcmig_error_code code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* A length byte and a name.  @what is for the message. */
enum zc_stream_result zc_stream_parse_name(struct zc_stream_decoder *decoder,
                                           struct zc_cursor *cursor, const char *what,
                                           char name_out[static ZC_STREAM_NAME_BYTES],
                                           GError **error);

/* What follows a command's item byte.  Which commands are allowed depends on the phase. */
enum zc_stream_result zc_stream_parse_command(struct zc_stream_decoder *decoder,
                                              struct zc_cursor *cursor,
                                              struct zc_stream_event *event, GError **error);

enum zc_stream_result zc_stream_parse_configuration(struct zc_stream_decoder *decoder,
                                                    struct zc_cursor *cursor,
                                                    struct zc_stream_event *event, GError **error);

/* Any item of the three RAM phases. */
enum zc_stream_result zc_stream_parse_ram(struct zc_stream_decoder *decoder,
                                          struct zc_cursor *cursor, struct zc_stream_event *event,
                                          GError **error);

/* The footer of a RAM section. */
enum zc_stream_result zc_stream_parse_footer(struct zc_stream_decoder *decoder,
                                             struct zc_cursor *cursor, GError **error);

#endif
