/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "fuzz/samples.h"
#include "wire/bytes.h"
#include "wire/extension.h"

#define RAM_ID 2u
#define MACHINE "pc-i440fx-11.1"
#define MIB(n) ((uint64_t)(n) << 20)

const struct zc_stream_limits zc_sample_limits = {
    .ram_bytes = MIB(64),
    .blocks = 8,
    .description_bytes = 4096,
};

static void put_start(GByteArray *out, const char *machine)
{
    zc_stream_put_header(out);
    zc_stream_put_configuration(out, machine);
}

static void put_return_path_commands(GByteArray *out, uint32_t ping)
{
    uint8_t data[4];

    zc_set_u32(data, ping);
    zc_stream_put_command(out, ZC_COMMAND_OPEN_RETURN_PATH, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_PING, data, sizeof(data));
}

static void put_ram_list(GByteArray *out)
{
    zc_stream_put_section_start(out, RAM_ID, "ram", 0, 4);
    zc_stream_put_ram_size(out, MIB(33) + 0x41000);
    zc_stream_put_ram_block(out, "pc.ram", MIB(32));
    zc_stream_put_ram_block(out, "0000:00:02.0/vga.vram", MIB(1));
    zc_stream_put_ram_block(out, "pc.bios", 0x40000);
    zc_stream_put_ram_block(out, "/rom@etc/acpi/rsdp", 0x1000);
}

static void put_section_tail(GByteArray *out)
{
    zc_stream_put_ram_eos(out);
    zc_stream_put_section_footer(out, RAM_ID);
}

static void put_page(GByteArray *out, const char *name, uint64_t offset, int fill)
{
    zc_stream_put_ram_page(out, name, offset);
    g_byte_array_set_size(out, out->len + ZC_WIRE_PAGE_BYTES);
    memset(out->data + out->len - ZC_WIRE_PAGE_BYTES, fill, ZC_WIRE_PAGE_BYTES);
}

static void put_extension(GByteArray *out, const struct zc_extension *message)
{
    GByteArray *bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    zc_stream_put_command(out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
    g_byte_array_unref(bytes);
}

GByteArray *zc_sample_qemu_multifd(void)
{
    GByteArray *out = g_byte_array_new();

    put_start(out, MACHINE);
    put_return_path_commands(out, 1);
    put_ram_list(out);
    zc_stream_put_ram_flush(out);
    put_section_tail(out);
    zc_stream_put_section_part(out, RAM_ID);
    zc_stream_put_ram_flush(out);
    put_section_tail(out);
    zc_stream_put_command(out, ZC_COMMAND_SWITCHOVER_START, NULL, 0);
    zc_stream_put_section_end(out, RAM_ID);
    zc_stream_put_ram_flush(out);
    put_section_tail(out);
    zc_stream_put_section_full(out, 0, "timer", 0, 2);
    return out;
}

GByteArray *zc_sample_plain(void)
{
    GByteArray *out = g_byte_array_new();

    put_start(out, "pc-i440fx-7.2");
    put_ram_list(out);
    put_section_tail(out);
    zc_stream_put_section_part(out, RAM_ID);
    put_page(out, "pc.ram", 0x1000, 0x41);
    zc_stream_put_ram_zero(out, NULL, 0x2000);
    put_section_tail(out);
    zc_stream_put_section_end(out, RAM_ID);
    put_page(out, NULL, MIB(32) - 0x1000, 0x42); /* the block of the section before */
    zc_stream_put_ram_zero(out, "pc.bios", 0x3f000);
    put_section_tail(out);
    zc_stream_put_eof(out);
    zc_stream_put_description(out, "{\"page_size\": 4096, \"devices\": []}");
    return out;
}

GByteArray *zc_sample_zcmig(void)
{
    static const uint8_t digests[16] = {0x93, 0xd7, 0x6f, 0xe1, 0x48, 0xc6, 0x89, 0xba, 1};
    struct zc_extension session = {.type = ZC_EXTENSION_SESSION,
                                   .session = {.n_channels = 4, .verify = ZC_VERIFY_AFTER}};
    struct zc_extension manifest = {.type = ZC_EXTENSION_MANIFEST,
                                    .manifest = {.n_digests = 2, .digests = digests}};
    struct zc_extension fail = {.type = ZC_EXTENSION_FAIL,
                                .fail = {.code = ZCMIG_ERROR_CANCELLED, .text = "cancelled"}};
    struct zc_extension end = {.type = ZC_EXTENSION_MANIFEST_END, .manifest_end = {.n_pages = 2}};
    GByteArray *out = g_byte_array_new();

    put_start(out, "none");
    put_return_path_commands(out, ZC_HELLO_PING | ZC_EXTENSION_VERSION);
    put_extension(out, &session);
    zc_stream_put_section_start(out, RAM_ID, "ram", 0, 4);
    zc_stream_put_ram_size(out, 0x2000);
    zc_stream_put_ram_block(out, "mem", 0x2000);
    put_section_tail(out);
    zc_stream_put_section_end(out, RAM_ID);
    put_page(out, "mem", 0x1000, 0x43);
    put_extension(out, &fail); /* not that it could go on after this, but between two records */
    zc_stream_put_ram_zero(out, NULL, 0);
    zc_stream_put_ram_flush(out);
    put_section_tail(out);
    zc_stream_put_eof(out);
    zc_stream_put_description(out, "{}");
    put_extension(out, &manifest);
    put_extension(out, &end);
    return out;
}

void zc_sample_put_subsection(GByteArray *out, const char *name, const void *data, guint length)
{
    zc_append_u8(out, 5);
    zc_append_name(out, name);
    zc_append_u32(out, 1);
    g_byte_array_append(out, data, length);
}

GByteArray *zc_sample_configuration_and_commands(void)
{
    static const uint8_t bits[4] = {0, 0, 0, 12}, no_capabilities[4] = {0};
    static const uint8_t uuid[16] = {0xde, 0xad, 0xbe, 0xef};
    static const uint8_t advise[16] = {0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0};
    static const uint8_t discard[20] = {0, 1, 'r', 0, 0, 0, 0, 0, 0, 0, 0x10};
    static const uint8_t package[4] = {0, 0, 0, 3}, bitmap[] = {1, 'r'};
    GByteArray *out = g_byte_array_new();

    put_start(out, MACHINE);
    zc_sample_put_subsection(out, "configuration/target-page-bits", bits, sizeof(bits));
    zc_sample_put_subsection(out, "configuration/capabilities", no_capabilities,
                             sizeof(no_capabilities));
    zc_sample_put_subsection(out, "configuration/uuid", uuid, sizeof(uuid));
    put_return_path_commands(out, UINT32_MAX);
    zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_ADVISE, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_ADVISE, advise, sizeof(advise));
    zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_LISTEN, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_RUN, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_RAM_DISCARD, discard, sizeof(discard));
    zc_stream_put_command(out, ZC_COMMAND_PACKAGED, package, sizeof(package));
    g_byte_array_append(out, (const uint8_t *)"abc", 3);
    zc_stream_put_command(out, ZC_COMMAND_ENABLE_COLO, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_RESUME, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_RECV_BITMAP, bitmap, sizeof(bitmap));
    zc_stream_put_command(out, ZC_COMMAND_SWITCHOVER_START, NULL, 0);
    return out;
}

static void put_random_command(GByteArray *out, GRand *rand)
{
    uint8_t data[300];
    uint16_t length = (uint16_t)g_rand_int_range(rand, 1, sizeof(data) + 1);

    for (uint16_t i = 0; i < length; i++) {
        data[i] = (uint8_t)g_rand_int(rand);
    }
    zc_stream_put_command(out, ZC_EXTENSION_COMMAND, data, length);
}

static void put_random_records(GByteArray *out, GRand *rand, unsigned int n_blocks, bool *named)
{
    unsigned int n_records = (unsigned int)g_rand_int_range(rand, 0, 20);
    char name[8];

    for (unsigned int i = 0; i < n_records; i++) {
        bool continues = *named && g_rand_boolean(rand);
        uint64_t offset = (uint64_t)g_rand_int_range(rand, 0, 256) * ZC_WIRE_PAGE_BYTES;

        g_snprintf(name, sizeof(name), "b%d", g_rand_int_range(rand, 0, (gint32)n_blocks));
        switch (g_rand_int_range(rand, 0, 4)) {
        case 0:
            zc_stream_put_ram_flush(out);
            continue;
        case 1:
            put_page(out, continues ? NULL : name, offset, g_rand_int_range(rand, 0, 256));
            break;
        default:
            zc_stream_put_ram_zero(out, continues ? NULL : name, offset);
            break;
        }
        *named = true;
    }
    zc_stream_put_ram_eos(out);
}

GByteArray *zc_sample_random(GRand *rand)
{
    GByteArray *out = g_byte_array_new();
    unsigned int n_blocks = (unsigned int)g_rand_int_range(rand, 1, 9);
    unsigned int n_parts = (unsigned int)g_rand_int_range(rand, 0, 5);
    uint32_t id = g_rand_int(rand);
    bool named = false;
    char name[8];

    put_start(out, MACHINE);
    put_random_command(out, rand);
    zc_stream_put_section_start(out, id, "ram", 0, 4);
    zc_stream_put_ram_size(out, n_blocks * MIB(1));
    for (unsigned int i = 0; i < n_blocks; i++) {
        g_snprintf(name, sizeof(name), "b%u", i);
        zc_stream_put_ram_block(out, name, MIB(1));
    }
    put_random_records(out, rand, n_blocks, &named);
    zc_stream_put_section_footer(out, id);
    for (unsigned int i = 0; i <= n_parts; i++) {
        if (g_rand_boolean(rand)) {
            put_random_command(out, rand);
        }
        if (i < n_parts) {
            zc_stream_put_section_part(out, id);
        } else {
            zc_stream_put_section_end(out, id);
        }
        put_random_records(out, rand, n_blocks, &named);
        zc_stream_put_section_footer(out, id);
    }
    zc_stream_put_eof(out);
    if (g_rand_boolean(rand)) {
        zc_stream_put_description(out, "{\"devices\": []}");
    }
    put_random_command(out, rand);
    return out;
}
