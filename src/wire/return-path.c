/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/error.h"
#include "wire/bytes.h"
#include "wire/stream.h"

void zc_return_put(GByteArray *out, uint16_t type, const void *data, uint16_t length)
{
    zc_append_u16(out, type);
    zc_append_u16(out, length);
    if (length) {
        g_byte_array_append(out, data, length);
    }
}

void zc_return_put_u32(GByteArray *out, uint16_t type, uint32_t value)
{
    uint8_t data[4];

    zc_set_u32(data, value);
    zc_return_put(out, type, data, sizeof(data));
}

/* REQ_PAGES_ID: be64 offset, be32 length, then the block's name. */
#define REQ_PAGES_BYTES 12
#define REQ_PAGES_ID_BYTES_MAX (REQ_PAGES_BYTES + 1 + (int)ZC_WIRE_NAME_MAX)

static bool length_range(uint16_t type, int *min_out, int *max_out, GError **error)
{
    switch (type) {
    case ZC_RETURN_SHUT:
    case ZC_RETURN_PONG:
    case ZC_RETURN_RESUME_ACK:
        *min_out = *max_out = 4;
        return true;
    case ZC_RETURN_REQ_PAGES:
        *min_out = *max_out = REQ_PAGES_BYTES;
        return true;
    case ZC_RETURN_REQ_PAGES_ID:
        *min_out = REQ_PAGES_BYTES + 1 + 1;
        *max_out = REQ_PAGES_ID_BYTES_MAX;
        return true;
    case ZC_RETURN_SWITCHOVER_ACK:
        *min_out = *max_out = 0;
        return true;
    case ZC_RETURN_EXTENSION:
        *min_out = 1;
        *max_out = ZC_RETURN_DATA_BYTES_MAX;
        return true;
    case ZC_RETURN_RECV_BITMAP:
        /* a bitmap of any length follows it */
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "return path: RECV_BITMAP (postcopy recovery) is not supported");
    default:
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "return path: got message type %u, allowed are 1 to 7 and %u", type,
                        ZC_RETURN_EXTENSION);
    }
}

enum zc_stream_result zc_return_decode(const uint8_t *bytes, size_t length, size_t *used_out,
                                       struct zc_return_message *message_out, GError **error)
{
    struct zc_cursor cursor = {bytes, length};
    uint16_t type, data_length;
    const uint8_t *data;
    int min = 0, max = 0;

    if (!zc_cursor_u16(&cursor, &type)) {
        return ZC_STREAM_MORE;
    }
    if (!length_range(type, &min, &max, error)) {
        return ZC_STREAM_ERROR;
    }
    if (!zc_cursor_u16(&cursor, &data_length)) {
        return ZC_STREAM_MORE;
    }
    if (data_length < min || data_length > max) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "return path: message type %u: got %u bytes, allowed are %d to %d", type,
                 data_length, min, max);
        return ZC_STREAM_ERROR;
    }
    if (!zc_cursor_bytes(&cursor, data_length, &data)) {
        return ZC_STREAM_MORE;
    }
    if (type == ZC_RETURN_REQ_PAGES_ID && data[REQ_PAGES_BYTES] != data_length - REQ_PAGES_BYTES - 1) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "return path: REQ_PAGES_ID: got a name of %u characters, allowed are %d",
                 data[REQ_PAGES_BYTES], data_length - REQ_PAGES_BYTES - 1);
        return ZC_STREAM_ERROR;
    }
    message_out->type = type;
    message_out->length = data_length;
    message_out->value = data_length == 4 && type != ZC_RETURN_EXTENSION ? zc_get_u32(data) : 0;
    message_out->data = data;
    *used_out = length - cursor.left;
    return ZC_STREAM_GOT;
}
