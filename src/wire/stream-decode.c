/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a pulled state machine with one parse function a phase.  A call
 * parses one item from its first byte; when bytes are missing, nothing has
 * changed and the next call parses it again.  Items are small, so that costs
 * little, and it is why the way the stream is cut cannot matter.
 *
 * Lengths and counts are checked before the decoder asks for the bytes they
 * announce: a peer cannot make it wait for more than
 * ZC_STREAM_EVENT_BYTES_MAX.
 */
#include "config.h"

#include "wire/extension.h"
#include "wire/stream-decode.h"

#define PACKAGE_BYTES_MAX (UINT32_C(1) << 24) /* MAX_VM_CMD_PACKAGED_SIZE */
#define POSTCOPY_ADVISE_BYTES 16
/* version, a name of one character and its NUL, one range */
#define RAM_DISCARD_BYTES_MIN (1 + 1 + 1 + 1 + 16)

struct zc_stream_decoder *zc_stream_decoder_new(const struct zc_stream_limits *limits)
{
    struct zc_stream_decoder *decoder = g_new0(struct zc_stream_decoder, 1);

    decoder->limits = *limits;
    decoder->phase = ZC_PHASE_HEADER;
    decoder->blocks = g_new0(struct zc_stream_block, limits->blocks);
    return decoder;
}

void zc_stream_decoder_allow_ram(struct zc_stream_decoder *decoder, uint64_t bytes)
{
    decoder->limits.ram_bytes = bytes;
}

void zc_stream_decoder_free(struct zc_stream_decoder *decoder)
{
    if (decoder) {
        g_free(decoder->blocks);
        g_free(decoder);
    }
}

enum zc_stream_result zc_stream_refuse(struct zc_stream_decoder *decoder, GError **error,
                                       enum zcmig_error_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    zc_error(error, code, "main stream, byte %" G_GUINT64_FORMAT ": %s", decoder->offset, text);
    decoder->phase = ZC_PHASE_REFUSED;
    return ZC_STREAM_ERROR;
}

enum zc_stream_result zc_stream_parse_name(struct zc_stream_decoder *decoder,
                                           struct zc_cursor *cursor, const char *what,
                                           char name_out[static ZC_STREAM_NAME_BYTES],
                                           GError **error)
{
    uint8_t length;
    const uint8_t *in;

    if (!zc_cursor_u8(cursor, &length)) {
        return ZC_STREAM_MORE;
    }
    if (length == 0) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "%s: got 0 characters, allowed are 1 to %u", what,
                                ZC_WIRE_NAME_MAX);
    }
    if (!zc_cursor_bytes(cursor, length, &in)) {
        return ZC_STREAM_MORE;
    }
    if (!zc_name_copy(name_out, in, length)) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "%s: got unprintable characters", what);
    }
    return ZC_STREAM_GOT;
}

static enum zc_stream_result parse_header(struct zc_stream_decoder *decoder,
                                          struct zc_cursor *cursor, struct zc_stream_event *event,
                                          GError **error)
{
    uint32_t magic, version;

    if (!zc_cursor_u32(cursor, &magic)) {
        return ZC_STREAM_MORE;
    }
    if (magic != ZC_STREAM_MAGIC) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "got magic 0x%08x, allowed is 0x%08x", magic, ZC_STREAM_MAGIC);
    }
    if (!zc_cursor_u32(cursor, &version)) {
        return ZC_STREAM_MORE;
    }
    if (version != ZC_STREAM_VERSION) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "got stream version %u, allowed is %u", version, ZC_STREAM_VERSION);
    }
    event->type = ZC_STREAM_HEADER;
    decoder->phase = ZC_PHASE_CONFIGURATION;
    return ZC_STREAM_GOT;
}

static bool command_length_is_right(uint16_t command, uint16_t length)
{
    switch (command) {
    case ZC_COMMAND_OPEN_RETURN_PATH:
    case ZC_COMMAND_POSTCOPY_LISTEN:
    case ZC_COMMAND_POSTCOPY_RUN:
    case ZC_COMMAND_ENABLE_COLO:
    case ZC_COMMAND_POSTCOPY_RESUME:
    case ZC_COMMAND_SWITCHOVER_START:
        return length == 0;
    case ZC_COMMAND_PING:
    case ZC_COMMAND_PACKAGED:
        return length == 4;
    case ZC_COMMAND_POSTCOPY_ADVISE:
        return length == 0 || length == POSTCOPY_ADVISE_BYTES;
    case ZC_COMMAND_POSTCOPY_RAM_DISCARD:
        return length >= RAM_DISCARD_BYTES_MIN;
    case ZC_COMMAND_RECV_BITMAP:
        return length >= 2 && length <= 1 + ZC_WIRE_NAME_MAX;
    case ZC_EXTENSION_COMMAND:
        return length >= 1;
    default:
        return false;
    }
}

enum zc_stream_result zc_stream_parse_command(struct zc_stream_decoder *decoder,
                                              struct zc_cursor *cursor,
                                              struct zc_stream_event *event, GError **error)
{
    bool is_qemus = decoder->phase == ZC_PHASE_ITEMS;
    uint16_t command, length;
    const uint8_t *data;

    if (!zc_cursor_u16(cursor, &command)) {
        return ZC_STREAM_MORE;
    }
    if (command != ZC_EXTENSION_COMMAND && (!is_qemus || command < ZC_COMMAND_OPEN_RETURN_PATH ||
                                            command > ZC_COMMAND_SWITCHOVER_START)) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "got command %u, allowed here are %s and zcmig's %u", command,
                                is_qemus ? "1 to 11" : "none of QEMU's", ZC_EXTENSION_COMMAND);
    }
    if (!zc_cursor_u16(cursor, &length)) {
        return ZC_STREAM_MORE;
    }
    if (!command_length_is_right(command, length)) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "command %u: got %u bytes of data, which is not its length",
                                command, length);
    }
    if (!zc_cursor_bytes(cursor, length, &data)) {
        return ZC_STREAM_MORE;
    }
    if (command == ZC_COMMAND_PACKAGED) {
        event->payload_bytes = zc_get_u32(data);
        if (event->payload_bytes > PACKAGE_BYTES_MAX) {
            return zc_stream_refuse(decoder, error, ZCMIG_ERROR_LIMIT,
                                    "command PACKAGED: got %u bytes, allowed are %u",
                                    event->payload_bytes, PACKAGE_BYTES_MAX);
        }
    }
    if (command == ZC_COMMAND_RECV_BITMAP && data[0] != length - 1) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "command RECV_BITMAP: got a name of %u characters, allowed are %d",
                                data[0], length - 1);
    }
    if (command == ZC_COMMAND_POSTCOPY_ADVISE && length == POSTCOPY_ADVISE_BYTES) {
        decoder->postcopy_advised = true;
    }
    event->type = ZC_STREAM_COMMAND;
    event->command.command = command;
    event->command.length = length;
    event->command.data = data;
    return ZC_STREAM_GOT;
}

static enum zc_stream_result start_ram(struct zc_stream_decoder *decoder,
                                       struct zc_stream_event *event, GError **error)
{
    if (event->section.instance != 0 || event->section.version != ZC_RAM_SECTION_VERSION) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "RAM section: got instance %u of version %u, allowed is 0 of "
                                "version %u",
                                event->section.instance, event->section.version,
                                ZC_RAM_SECTION_VERSION);
    }
    if (decoder->ram != ZC_RAM_NOT_STARTED) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL, "RAM is started twice");
    }
    decoder->ram = ZC_RAM_STARTED;
    decoder->ram_section_id = event->section.id;
    decoder->in_ram_end = false;
    decoder->phase = ZC_PHASE_RAM_SIZE;
    return ZC_STREAM_GOT;
}

/* START and FULL: the sections that say what they are. */
static enum zc_stream_result parse_named_section(struct zc_stream_decoder *decoder,
                                                 struct zc_cursor *cursor,
                                                 struct zc_stream_event *event, GError **error)
{
    enum zc_stream_result result =
        zc_stream_parse_name(decoder, cursor, "section's name", event->section.name, error);
    if (result != ZC_STREAM_GOT) {
        return result;
    }
    event->section.is_ram = strcmp(event->section.name, ZC_RAM_SECTION_NAME) == 0;
    if (!event->section.is_ram && event->section.type == ZC_SECTION_START) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_UNSUPPORTED,
                                "section '%s' is migrated live and is not RAM, which is not "
                                "supported",
                                event->section.name);
    }
    if (event->section.is_ram && event->section.type == ZC_SECTION_FULL) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "section 'ram' is a FULL one, allowed are START, PART and END");
    }
    if (!zc_cursor_u32(cursor, &event->section.instance) ||
        !zc_cursor_u32(cursor, &event->section.version)) {
        return ZC_STREAM_MORE;
    }
    if (event->section.is_ram) {
        return start_ram(decoder, event, error);
    }
    decoder->phase = ZC_PHASE_DEVICES;
    return ZC_STREAM_GOT;
}

static enum zc_stream_result parse_section(struct zc_stream_decoder *decoder,
                                           struct zc_cursor *cursor, enum zc_section_type type,
                                           struct zc_stream_event *event, GError **error)
{
    event->type = ZC_STREAM_SECTION;
    event->section.type = type;
    if (!zc_cursor_u32(cursor, &event->section.id)) {
        return ZC_STREAM_MORE;
    }
    if (type == ZC_SECTION_START || type == ZC_SECTION_FULL) {
        return parse_named_section(decoder, cursor, event, error);
    }
    if (decoder->ram != ZC_RAM_STARTED) {
        return zc_stream_refuse(
            decoder, error, ZCMIG_ERROR_PROTOCOL, "got a section %s of id %u %s",
            type == ZC_SECTION_PART ? "PART" : "END", event->section.id,
            decoder->ram == ZC_RAM_ENDED ? "after RAM's END" : "before RAM's START");
    }
    if (event->section.id != decoder->ram_section_id) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "section: got id %u, which no START named, allowed is that of "
                                "RAM, %u",
                                event->section.id, decoder->ram_section_id);
    }
    event->section.is_ram = true;
    decoder->in_ram_end = type == ZC_SECTION_END;
    decoder->phase = ZC_PHASE_RAM_RECORDS;
    return ZC_STREAM_GOT;
}

static enum zc_stream_result parse_eof(struct zc_stream_decoder *decoder,
                                       struct zc_stream_event *event, GError **error)
{
    if (decoder->ram != ZC_RAM_ENDED) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "got EOF before the END of RAM");
    }
    event->type = ZC_STREAM_EOF;
    decoder->phase = ZC_PHASE_TAIL;
    return ZC_STREAM_GOT;
}

static enum zc_stream_result parse_description(struct zc_stream_decoder *decoder,
                                               struct zc_cursor *cursor,
                                               struct zc_stream_event *event, GError **error)
{
    if (decoder->described) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL, "got a second description");
    }
    if (!zc_cursor_u32(cursor, &event->payload_bytes)) {
        return ZC_STREAM_MORE;
    }
    if (event->payload_bytes > decoder->limits.description_bytes) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_LIMIT,
                                "description: got %u bytes, allowed are %u", event->payload_bytes,
                                decoder->limits.description_bytes);
    }
    event->type = ZC_STREAM_DESCRIPTION;
    decoder->described = true;
    return ZC_STREAM_GOT;
}

/* The three phases between RAM's records: what may come is told by the item's first byte. */
static enum zc_stream_result parse_item(struct zc_stream_decoder *decoder, struct zc_cursor *cursor,
                                        struct zc_stream_event *event, GError **error)
{
    uint8_t item;

    if (!zc_cursor_u8(cursor, &item)) {
        return ZC_STREAM_MORE;
    }
    if (item == ZC_ITEM_COMMAND && decoder->phase != ZC_PHASE_EOF) {
        return zc_stream_parse_command(decoder, cursor, event, error);
    }
    if (item == ZC_ITEM_EOF && decoder->phase != ZC_PHASE_TAIL) {
        return parse_eof(decoder, event, error);
    }
    if (item == ZC_ITEM_DESCRIPTION && decoder->phase == ZC_PHASE_TAIL) {
        return parse_description(decoder, cursor, event, error);
    }
    if (item >= ZC_SECTION_START && item <= ZC_SECTION_FULL && decoder->phase == ZC_PHASE_ITEMS) {
        return parse_section(decoder, cursor, (enum zc_section_type)item, event, error);
    }
    return zc_stream_refuse(
        decoder, error, ZCMIG_ERROR_PROTOCOL, "got item 0x%02x, allowed %s", item,
        decoder->phase == ZC_PHASE_ITEMS ? "are a section (1 to 4), a command (8) and EOF (0)"
        : decoder->phase == ZC_PHASE_EOF ? "is EOF (0), after the devices"
                                         : "are a description (6) and a command (8), after EOF");
}

/*
 * A footer is no event: it comes with the item behind it.  It cannot come with the EOS before it,
 * because QEMU flushes a section up to its EOS, and its footer with the next one.
 */
static enum zc_stream_result parse_behind_eos(struct zc_stream_decoder *decoder,
                                              struct zc_cursor *cursor,
                                              struct zc_stream_event *event, GError **error)
{
    size_t available = cursor->left;
    enum zc_stream_result result = zc_stream_parse_footer(decoder, cursor, error);

    if (result != ZC_STREAM_GOT) {
        return result;
    }
    size_t footer_bytes = available - cursor->left;
    decoder->offset += footer_bytes; /* for what may be said of the item */
    result = parse_item(decoder, cursor, event, error);
    if (result != ZC_STREAM_ERROR) {
        decoder->offset -= footer_bytes;
    }
    if (result == ZC_STREAM_MORE) {
        decoder->phase = ZC_PHASE_RAM_FOOTER;
    }
    return result;
}

enum zc_stream_result zc_stream_decoder_next(struct zc_stream_decoder *decoder,
                                             const uint8_t *bytes, size_t length, size_t *used_out,
                                             struct zc_stream_event *event_out, GError **error)
{
    struct zc_cursor cursor = { bytes, length };
    enum zc_stream_result result;

    memset(event_out, 0, sizeof(*event_out));
    switch (decoder->phase) {
    case ZC_PHASE_HEADER:
        result = parse_header(decoder, &cursor, event_out, error);
        break;
    case ZC_PHASE_CONFIGURATION:
        result = zc_stream_parse_configuration(decoder, &cursor, event_out, error);
        break;
    case ZC_PHASE_ITEMS:
    case ZC_PHASE_EOF:
    case ZC_PHASE_TAIL:
        result = parse_item(decoder, &cursor, event_out, error);
        break;
    case ZC_PHASE_RAM_FOOTER:
        result = parse_behind_eos(decoder, &cursor, event_out, error);
        break;
    case ZC_PHASE_RAM_SIZE:
    case ZC_PHASE_RAM_BLOCKS:
    case ZC_PHASE_RAM_RECORDS:
        result = zc_stream_parse_ram(decoder, &cursor, event_out, error);
        break;
    case ZC_PHASE_DEVICES:
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_UNSUPPORTED,
                                "device state has no length and cannot be read here");
    case ZC_PHASE_REFUSED:
    default:
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "the stream was refused before");
    }
    if (result == ZC_STREAM_GOT) {
        *used_out = length - cursor.left;
        decoder->offset += *used_out + event_out->payload_bytes;
    }
    return result;
}

bool zc_stream_decoder_after_early(struct zc_stream_decoder *decoder, uint64_t state_bytes)
{
    if (decoder->phase != ZC_PHASE_DEVICES || decoder->ram == ZC_RAM_ENDED) {
        return false;
    }
    decoder->offset += state_bytes;
    decoder->phase = ZC_PHASE_ITEMS;
    return true;
}

bool zc_stream_decoder_after_devices(struct zc_stream_decoder *decoder, uint64_t device_bytes)
{
    if (decoder->phase != ZC_PHASE_DEVICES || decoder->ram != ZC_RAM_ENDED) {
        return false;
    }
    decoder->offset += device_bytes;
    decoder->phase = ZC_PHASE_EOF;
    return true;
}
