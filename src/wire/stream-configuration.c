/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the configuration is the machine's name and up to three subsections,
 * each at most once.  Nothing marks its end but a byte that begins no
 * subsection, so that byte is looked at and left.
 */
#include "config.h"

#include "wire/stream-decode.h"

#define SUBSECTION_VERSION 1u
#define TARGET_PAGE_BITS 12u /* ZC_WIRE_PAGE_BYTES */

static enum zc_stream_result parse_machine(struct zc_stream_decoder *decoder,
                                           struct zc_cursor *cursor,
                                           struct zc_stream_event *event, GError **error)
{
    uint8_t item;
    uint32_t length;
    const uint8_t *name;

    if (!zc_cursor_u8(cursor, &item)) {
        return ZC_STREAM_MORE;
    }
    if (item != ZC_ITEM_CONFIGURATION) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "got item 0x%02x, allowed is a configuration (0x%02x)", item,
                                ZC_ITEM_CONFIGURATION);
    }
    if (!zc_cursor_u32(cursor, &length)) {
        return ZC_STREAM_MORE;
    }
    if (length < 1 || length > ZC_WIRE_NAME_MAX) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "machine name: got %u characters, allowed are 1 to %u", length,
                                ZC_WIRE_NAME_MAX);
    }
    if (!zc_cursor_bytes(cursor, length, &name)) {
        return ZC_STREAM_MORE;
    }
    if (!zc_name_copy(event->configuration.machine, name, length)) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "machine name: got unprintable characters");
    }
    return ZC_STREAM_GOT;
}

static enum zc_stream_result parse_page_bits(struct zc_stream_decoder *decoder,
                                             struct zc_cursor *cursor,
                                             struct zc_stream_event *event, GError **error)
{
    uint32_t bits;

    if (!zc_cursor_u32(cursor, &bits)) {
        return ZC_STREAM_MORE;
    }
    if (bits != TARGET_PAGE_BITS) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_UNSUPPORTED,
                                "target-page-bits: got %u, allowed is %u", bits, TARGET_PAGE_BITS);
    }
    event->configuration.target_page_bits = bits;
    return ZC_STREAM_GOT;
}

/* A source lists only capabilities that change the stream, so each of them is refused. */
static enum zc_stream_result parse_capabilities(struct zc_stream_decoder *decoder,
                                                struct zc_cursor *cursor,
                                                struct zc_stream_event *event, GError **error)
{
    char name[ZC_STREAM_NAME_BYTES];
    uint32_t n_capabilities;

    (void)event;
    if (!zc_cursor_u32(cursor, &n_capabilities)) {
        return ZC_STREAM_MORE;
    }
    if (n_capabilities == 0) {
        return ZC_STREAM_GOT;
    }
    enum zc_stream_result result =
        zc_stream_parse_name(decoder, cursor, "capability", name, error);
    if (result != ZC_STREAM_GOT) {
        return result;
    }
    return zc_stream_refuse(decoder, error, ZCMIG_ERROR_UNSUPPORTED,
                            "migration capability %s is not supported", name);
}

static enum zc_stream_result parse_uuid(struct zc_stream_decoder *decoder,
                                        struct zc_cursor *cursor, struct zc_stream_event *event,
                                        GError **error)
{
    const uint8_t *uuid;

    (void)decoder;
    (void)error;
    if (!zc_cursor_bytes(cursor, sizeof(event->configuration.uuid), &uuid)) {
        return ZC_STREAM_MORE;
    }
    memcpy(event->configuration.uuid, uuid, sizeof(event->configuration.uuid));
    event->configuration.has_uuid = true;
    return ZC_STREAM_GOT;
}

static const struct {
    const char *name;
    enum zc_stream_result (*parse)(struct zc_stream_decoder *decoder, struct zc_cursor *cursor,
                                   struct zc_stream_event *event, GError **error);
} subsections[] = {
    {"configuration/target-page-bits", parse_page_bits},
    {"configuration/capabilities", parse_capabilities},
    {"configuration/uuid", parse_uuid},
};

static enum zc_stream_result parse_subsection(struct zc_stream_decoder *decoder,
                                              struct zc_cursor *cursor, unsigned int *seen,
                                              struct zc_stream_event *event, GError **error)
{
    char name[ZC_STREAM_NAME_BYTES];
    uint32_t version;
    size_t i = 0;

    enum zc_stream_result result =
        zc_stream_parse_name(decoder, cursor, "configuration's subsection", name, error);
    if (result != ZC_STREAM_GOT) {
        return result;
    }
    while (i < G_N_ELEMENTS(subsections) && strcmp(name, subsections[i].name) != 0) {
        i++;
    }
    if (i == G_N_ELEMENTS(subsections) || (*seen & (1u << i))) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "got subsection '%s', allowed are configuration/target-page-bits, "
                                "/capabilities and /uuid, each once",
                                name);
    }
    *seen |= 1u << i;
    if (!zc_cursor_u32(cursor, &version)) {
        return ZC_STREAM_MORE;
    }
    if (version != SUBSECTION_VERSION) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "subsection '%s': got version %u, allowed is %u", name, version,
                                SUBSECTION_VERSION);
    }
    return subsections[i].parse(decoder, cursor, event, error);
}

enum zc_stream_result zc_stream_parse_configuration(struct zc_stream_decoder *decoder,
                                                    struct zc_cursor *cursor,
                                                    struct zc_stream_event *event, GError **error)
{
    size_t available = cursor->left;
    unsigned int seen = 0;
    const uint8_t *mark;

    enum zc_stream_result result = parse_machine(decoder, cursor, event, error);
    while (result == ZC_STREAM_GOT && cursor->left && *cursor->at == ZC_ITEM_SUBSECTION &&
           zc_cursor_bytes(cursor, 1, &mark)) {
        result = parse_subsection(decoder, cursor, &seen, event, error);
    }
    if (result == ZC_STREAM_GOT && !cursor->left) {
        return ZC_STREAM_MORE;
    }
    if (result == ZC_STREAM_GOT) {
        event->type = ZC_STREAM_CONFIGURATION;
        event->configuration.length = available - cursor->left;
        decoder->phase = ZC_PHASE_ITEMS;
    }
    return result;
}
