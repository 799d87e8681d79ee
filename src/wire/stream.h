/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's main migration stream: bytes <-> events.  Pure: no I/O, nothing
 * allocated by what the peer says.
 *
 *     "QEVM" v3 | configuration | { command } | RAM section START | { PART } | END
 *     | { device sections FULL } | EOF | vmdescription
 *
 * The encoder appends to a GByteArray.  The decoder is pulled: give it the
 * bytes at hand, it takes one event off the front or says that it needs more.
 * Page contents and the description are not buffered: the event says how many
 * payload bytes follow, and the caller reads them past the decoder.
 */
#ifndef ZC_WIRE_STREAM_H
#define ZC_WIRE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define ZC_STREAM_NAME_BYTES 256
/* The device section of a guest of zcmig's: u32 length and as many bytes of state. */
#define ZC_STREAM_GUEST_NAME "zcmig-guest"
#define ZC_STREAM_GUEST_VERSION 1u
/* No event but a command's needs more bytes at once than this; a command may have 64 KiB of data.
 */
#define ZC_STREAM_EVENT_BYTES_MAX (65535 + 16)

enum zc_command {
    ZC_COMMAND_OPEN_RETURN_PATH = 1,
    ZC_COMMAND_PING = 2,
    ZC_COMMAND_POSTCOPY_ADVISE = 3,
    ZC_COMMAND_POSTCOPY_LISTEN = 4,
    ZC_COMMAND_POSTCOPY_RUN = 5,
    ZC_COMMAND_POSTCOPY_RAM_DISCARD = 6,
    ZC_COMMAND_PACKAGED = 7,
    ZC_COMMAND_ENABLE_COLO = 8,
    ZC_COMMAND_POSTCOPY_RESUME = 9,
    ZC_COMMAND_RECV_BITMAP = 10,
    ZC_COMMAND_SWITCHOVER_START = 11,
};

enum zc_stream_event_type {
    ZC_STREAM_HEADER,        /* magic and version were right */
    ZC_STREAM_CONFIGURATION, /* .configuration */
    ZC_STREAM_COMMAND,       /* .command; the data bytes are in the caller's buffer */
    ZC_STREAM_SECTION,       /* .section: a section begins */
    ZC_STREAM_RAM_SIZE,      /* .ram_size: the block list follows, one RAM_BLOCK each */
    ZC_STREAM_RAM_BLOCK,     /* .block */
    ZC_STREAM_RAM_ZERO,      /* .page: this page is zero */
    ZC_STREAM_RAM_PAGE,      /* .page: payload_bytes of content follow */
    ZC_STREAM_RAM_FLUSH,     /* barrier over all multifd channels */
    ZC_STREAM_RAM_EOS,       /* end of this RAM section's records; its footer comes with the next event */
    ZC_STREAM_EOF,           /* end of sections */
    ZC_STREAM_DESCRIPTION,   /* payload_bytes of JSON follow */
};

enum zc_section_type {
    ZC_SECTION_START = 1,
    ZC_SECTION_PART = 2,
    ZC_SECTION_END = 3,
    ZC_SECTION_FULL = 4,
};

struct zc_stream_event {
    enum zc_stream_event_type type;
    uint32_t payload_bytes; /* that follow this event and are the caller's to read */
    union {
        struct {
            char machine[ZC_STREAM_NAME_BYTES];
            uint32_t target_page_bits; /* 0: the target's own; else 12 */
            bool has_uuid;
            uint8_t uuid[16];
            size_t length; /* bytes of the whole configuration, for keeping it */
        } configuration;
        struct {
            uint16_t command;
            uint16_t length;
            const uint8_t *data; /* into the caller's buffer */
        } command;
        struct {
            enum zc_section_type type;
            uint32_t id;
            bool is_ram;
            char name[ZC_STREAM_NAME_BYTES]; /* START and FULL, as the rest; "" and 0 otherwise */
            uint32_t instance;
            uint32_t version;
        } section;
        struct {
            uint64_t total_bytes;
        } ram_size;
        struct {
            char name[ZC_STREAM_NAME_BYTES];
            uint64_t used_bytes;
        } block;
        struct {
            char block[ZC_STREAM_NAME_BYTES]; /* also when the record said "continue" */
            uint64_t offset;
        } page;
    };
};

struct zc_stream_limits {
    uint64_t ram_bytes; /* more RAM than this is refused before anything is allocated */
    uint32_t blocks;
    uint32_t description_bytes;
};

struct zc_stream_decoder;

enum zc_stream_result {
    ZC_STREAM_GOT,   /* an event; *used bytes of the buffer are done */
    ZC_STREAM_MORE,  /* nothing taken; call again with more bytes */
    ZC_STREAM_ERROR, /* @error set; the decoder refuses from now on */
};

/* Allocates room for @limits->blocks blocks, and nothing later on. */
struct zc_stream_decoder *zc_stream_decoder_new(const struct zc_stream_limits *limits);
/* Before RAM is announced: so much of it is allowed from now on. */
void zc_stream_decoder_allow_ram(struct zc_stream_decoder *decoder, uint64_t bytes);
void zc_stream_decoder_free(struct zc_stream_decoder *decoder); /* accepts NULL */

/*
 * Takes the next event off @bytes; *@event_out is undefined unless the result is GOT.  What comes
 * out does not depend on how the stream is cut: a rule is checked as soon as the bytes it speaks of
 * are there, and never before.  The configuration has no end mark, so its event comes when one byte
 * after it is there; every source goes on at once.
 *
 * What must follow what:
 *
 *     header, configuration, then in any order commands and sections; of RAM one START that begins
 *     with MEM_SIZE and its blocks, any PARTs, one END, all of one id; EOF after RAM's END; after
 *     EOF at most one description and any extension commands
 *
 * Extension commands are also allowed between RAM records, so that a source that gives up in the
 * middle of a section can say why.
 *
 * A command's length is checked against its number.  What it means is the caller's: the postcopy
 * ones and ENABLE_COLO come out as events too.  PACKAGED has payload_bytes, at most 16 MiB.
 *
 * A FULL section is the beginning of opaque device state (it has no length): after its event the
 * decoder refuses to go on, unless zc_stream_decoder_after_devices (after RAM's END) or
 * zc_stream_decoder_after_early (before it) is called first.  Sections of
 * other START/PART/END users (dirty bitmaps, VFIO) are refused.
 *
 * Errors, all with the place in the stream: ZCMIG_ERROR_PROTOCOL (what was got, what is allowed),
 * ZCMIG_ERROR_UNSUPPORTED (XBZRLE, compressed pages, RDMA, mapped-ram, x-ignore-shared,
 * postcopy-ram's page sizes, other target pages, sections that are not RAM, device state: each by
 * its name), ZCMIG_ERROR_LIMIT (RAM, blocks, description, package).
 */
enum zc_stream_result zc_stream_decoder_next(struct zc_stream_decoder *decoder,
                                             const uint8_t *bytes, size_t length, size_t *used_out,
                                             struct zc_stream_event *event_out, GError **error);

/*
 * After the event of a FULL section, once the caller has by itself taken @device_bytes: the rest of
 * that section and all device sections behind it.  EOF is next.  Returns false, and changes
 * nothing, when the last event was not a FULL section or RAM has not ended.
 */
bool zc_stream_decoder_after_devices(struct zc_stream_decoder *decoder, uint64_t device_bytes);

/*
 * The same before RAM has ended: @state_bytes are the rest of that one section, its footer included
 * (wire/early.h).  Items go on.
 */
bool zc_stream_decoder_after_early(struct zc_stream_decoder *decoder, uint64_t state_bytes);

/* ---- encoder: each appends one item to @out */

void zc_stream_put_header(GByteArray *out);
void zc_stream_put_configuration(GByteArray *out, const char *machine);
void zc_stream_put_command(GByteArray *out, uint16_t command, const void *data, uint16_t length);
void zc_stream_put_section_start(GByteArray *out, uint32_t id, const char *name, uint32_t instance,
                                 uint32_t version);
void zc_stream_put_section_full(GByteArray *out, uint32_t id, const char *name, uint32_t instance,
                                uint32_t version);
void zc_stream_put_section_part(GByteArray *out, uint32_t id);
void zc_stream_put_section_end(GByteArray *out, uint32_t id);
void zc_stream_put_section_footer(GByteArray *out, uint32_t id);
void zc_stream_put_ram_size(GByteArray *out, uint64_t total_bytes);
void zc_stream_put_ram_block(GByteArray *out, const char *name, uint64_t used_bytes);
void zc_stream_put_ram_flush(GByteArray *out);
void zc_stream_put_ram_eos(GByteArray *out);
/* @name NULL: the same block as the page before.  Content follows by the caller's hand. */
void zc_stream_put_ram_page(GByteArray *out, const char *name, uint64_t offset);
void zc_stream_put_ram_zero(GByteArray *out, const char *name, uint64_t offset);
void zc_stream_put_eof(GByteArray *out);
void zc_stream_put_description(GByteArray *out, const char *json);

/* ---- return path: destination to source, on the main connection: type, length, data */

enum zc_return_type {
    ZC_RETURN_SHUT = 1,
    ZC_RETURN_PONG = 2,
    ZC_RETURN_REQ_PAGES_ID = 3,
    ZC_RETURN_REQ_PAGES = 4,
    ZC_RETURN_RECV_BITMAP = 5,
    ZC_RETURN_RESUME_ACK = 6,
    ZC_RETURN_SWITCHOVER_ACK = 7,
    ZC_RETURN_EXTENSION = 0x7a63, /* zcmig to zcmig only: see wire/extension.h */
};

#define ZC_RETURN_DATA_BYTES_MAX 1024

struct zc_return_message {
    uint16_t type;
    uint16_t length;
    uint32_t value;      /* SHUT: 0 is success; PONG: what PING said; RESUME_ACK; otherwise 0 */
    const uint8_t *data; /* into the caller's buffer */
};

void zc_return_put(GByteArray *out, uint16_t type, const void *data, uint16_t length);
void zc_return_put_u32(GByteArray *out, uint16_t type, uint32_t value);

/*
 * As zc_stream_decoder_next, without a state of its own.  Errors: ZCMIG_ERROR_PROTOCOL (type,
 * length of that type), ZCMIG_ERROR_UNSUPPORTED (RECV_BITMAP: its bitmap has no length here).
 */
enum zc_stream_result zc_return_decode(const uint8_t *bytes, size_t length, size_t *used_out,
                                       struct zc_return_message *message_out, GError **error);

#endif
