/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a QEMU's monitor prints of its RAM, its own records of it, and its address. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "guest/qemu-process.h"
#include "guest/qemu-text.h"
#include "guest/qemu.h"
#include "lib/unit.h"

/* As QEMU 7.2 and 10.0 print it. */
#define LINE_7_2                                                                                   \
    "              Block Name    PSize              Offset               Used              "       \
    "Total\r\n"
#define LINE_10_0                                                                                  \
    "              Block Name    PSize              Offset               Used              Total"  \
    "                HVA  RO\r\n"
#define NUMBERS "    4 KiB  0x0000000003080000 0x0000000001000000 0x0000000001000000"

static const struct {
    const char *text;
    const char *name;
    uint64_t host;
    guint n;
} tables[] = {
    { LINE_7_2 "                  pc.ram" NUMBERS "\r\n", "pc.ram", 0, 1 },
    { LINE_10_0 "   0000:00:02.0/vga.vram" NUMBERS " 0x00007f94d2e00000  rw\r\n",
      "0000:00:02.0/vga.vram", 0x7f94d2e00000, 1 },
    { LINE_10_0 "   a name with blanks " NUMBERS " 0x00007f94d2e00000  ro\n", "a name with blanks",
      0x7f94d2e00000, 1 },
    { LINE_7_2 "                        " NUMBERS "\r\n  pc.ram" NUMBERS "\r\n", "pc.ram", 0, 1 },
    { LINE_7_2 "  huge    2 MiB  0x00 0x200000 0x200000\r\n  pc.ram" NUMBERS "\r\n", "pc.ram", 0,
      2 },
    { "  Block Name  PSize  Offset  New  Used  Total\n  pc.ram  4 KiB  0x3080000  x  0x1000000"
      "  0x1000000\n",
      "pc.ram", 0, 1 },
};

START_TEST(blocks_are_read_whatever_the_columns)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_block));
    GError *error = NULL;

    ck_assert_msg(zc_qemu_text_blocks(tables[_i].text, blocks, &error), "%s",
                  error ? error->message : "");
    ck_assert_uint_eq(blocks->len, tables[_i].n);
    struct zc_qemu_block *block = &g_array_index(blocks, struct zc_qemu_block, blocks->len - 1);
    ck_assert_str_eq(block->name, tables[_i].name);
    ck_assert_uint_eq(block->offset, 0x3080000);
    ck_assert_uint_eq(block->used_bytes, 0x1000000);
    ck_assert_uint_eq(block->total_bytes, 0x1000000);
    ck_assert_uint_eq(block->host, tables[_i].host);
}
END_TEST

START_TEST(what_is_no_table_of_blocks_is_refused)
{
    static const char *const bad[] = {
        "",
        "unknown command: 'info ramblock'\r\n",
        LINE_7_2 "pc.ram\r\n",
        LINE_7_2 "  pc.ram    4 KiB  3080000 0x1000000 0x1000000\r\n",
        LINE_7_2 "  pc.ram    4 KiB  0x3080000 0x10000000000000000 0x1000000\r\n",
        LINE_7_2
        "  pc.ram    4 KiB  0x3080000 0x1000001 0x1000000\r\n", /* more used than there is */
        "  Block Name    PSize              Offset               Used\r\n",
    };
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_block));
    GError *error = NULL;

    ck_assert(!zc_qemu_text_blocks(bad[_i], blocks, &error));
    ck_assert_int_eq(error->code, ZCMIG_ERROR_PROTOCOL);
    g_clear_error(&error);
}
END_TEST

static const char flat_views[] =
    "FlatView #0\r\n AS \"I/O\", root: io\r\n Root memory region: io\r\n"
    "  0000000000000000-0000000000000007 (prio 0, ram): pc.ram\r\n\r\n"
    "FlatView #1\r\n AS \"memory\", root: system\r\n AS \"e1000\", root: bus master\r\n"
    "  0000000000000000-000000000009ffff (prio 0, ram): pc.ram KVM\r\n"
    "  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"
    "  00000000000c0000-00000000000cafff (prio 0, rom): pc.ram @00000000000c0000 KVM\r\n"
    "  00000000f0000000-00000000f0000fff (prio 1, romd): flash\r\n"
    "  0000000100000000-000000017fffffff (prio 0, ram): pc.ram @00000000c0000000\r\n\r\n"
    "FlatView #2\r\n AS \"cpu-smm-0\", root: memory\r\n"
    "  00000000000a0000-00000000000bffff (prio 0, ram): pc.ram @00000000000a0000\r\n";

START_TEST(the_layout_is_that_of_memory_and_of_ram_only)
{
    static const uint64_t wanted[][3] = { { 0, 0, 0xa0000 },
                                          { 0xc0000, 0xc0000, 0xb000 },
                                          { 0x100000000, 0xc0000000, 0x80000000 } };
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_piece));
    GError *error = NULL;

    ck_assert(zc_qemu_text_layout(flat_views, pieces, &error));
    ck_assert_uint_eq(pieces->len, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < pieces->len; i++) {
        struct zc_qemu_piece *piece = &g_array_index(pieces, struct zc_qemu_piece, i);
        ck_assert_str_eq(piece->region, "pc.ram");
        ck_assert_uint_eq(piece->guest_address, wanted[i][0]);
        ck_assert_uint_eq(piece->offset, wanted[i][1]);
        ck_assert_uint_eq(piece->bytes, wanted[i][2]);
    }
    ck_assert(!zc_qemu_text_layout("FlatView #0\r\n AS \"I/O\", root: io\r\n", pieces, &error));
    g_clear_error(&error);
}
END_TEST

START_TEST(a_region_is_the_end_of_a_blocks_name)
{
    ck_assert(zc_qemu_text_is_region("pc.ram", "pc.ram"));
    ck_assert(zc_qemu_text_is_region("vga.vram", "0000:00:02.0/vga.vram"));
    ck_assert(!zc_qemu_text_is_region("ram", "pc.ram"));
    ck_assert(!zc_qemu_text_is_region("00:02.0/vga.vram", "0000:00:02.0/vga.vram"));
}
END_TEST

/* ------------------------------------------------------------------ records */

#define HOST UINT64_C(0x7f94d2e00000)

static struct zc_qemu_block a_block(void)
{
    struct zc_qemu_block block = { .offset = 0x3080000,
                                   .used_bytes = 0x20000,
                                   .total_bytes = 0x200000 };

    strcpy(block.name, "/rom@etc/acpi/tables");
    return block;
}

/* A record of @block as QEMU has it, word @at of a heap. */
static void put_record(uint64_t *heap, size_t at, const struct zc_qemu_block *block)
{
    heap[at] = HOST;
    heap[at + 2] = block->offset;
    heap[at + 3] = block->used_bytes;
    heap[at + 4] = block->total_bytes;
    strcpy((char *)(heap + at + 6) + 4, block->name);
}

START_TEST(a_record_is_found_by_all_that_is_known_of_it)
{
    uint64_t heap[200] = { 0 };
    struct zc_qemu_block block = a_block(), other = block;
    const uint8_t *bytes = (const uint8_t *)heap;

    put_record(heap, 101, &block);
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, sizeof(heap), &block), HOST);
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, 200, &block), 0);
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, 0, &block), 0);
    other.offset++;
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, sizeof(heap), &other), 0);
    other = block;
    other.used_bytes++;
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, sizeof(heap), &other), 0);
    other = block;
    other.total_bytes++;
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, sizeof(heap), &other), 0);
    other = block;
    other.name[strlen(other.name) - 1] = '\0'; /* a name that only begins alike */
    ck_assert_uint_eq(zc_qemu_process_find_record(bytes, sizeof(heap), &other), 0);
}
END_TEST

START_TEST(memory_is_read_where_it_is_mapped_and_nowhere_else)
{
    g_autofree char *text = g_strdup("what is here");
    struct zc_qemu_process *process = zc_qemu_process_open(getpid(), NULL);
    char copy[13] = "";
    GError *error = NULL;
    uint64_t offset;

    ck_assert_ptr_nonnull(process);
    ck_assert(zc_qemu_process_has(process, (uintptr_t)text, sizeof(copy)));
    ck_assert_int_eq(zc_qemu_process_read(process, (uintptr_t)text, copy, sizeof(copy)), 0);
    ck_assert_str_eq(copy, text);
    ck_assert(!zc_qemu_process_has(process, 0, 1));
    ck_assert(!zc_qemu_process_has(process, 4096, 1));
    ck_assert(!zc_qemu_process_has(process, UINT64_MAX - 1, 4096));
    ck_assert_int_lt(zc_qemu_process_read(process, 4096, copy, sizeof(copy)), 0);
    /* Its heap is no shared file. */
    ck_assert_int_eq(zc_qemu_process_open_file(process, (uintptr_t)text, 1, &offset), -1);
    zc_qemu_process_free(process);
    ck_assert_ptr_null(zc_qemu_process_open(0x7fffffff, &error));
    g_clear_error(&error);
}
END_TEST

/* ------------------------------------------------------------------ address */

START_TEST(addresses_are_taken_apart)
{
    struct zc_qemu_address address;

    ck_assert(zc_qemu_address_parse("/run/vm.qmp", &address, NULL));
    ck_assert_str_eq(address.path, "/run/vm.qmp");
    ck_assert_int_eq(address.way, ZC_QEMU_AUTO);
    ck_assert_int_eq(address.pid, 0);
    zc_qemu_address_clear(&address);
    ck_assert(zc_qemu_address_parse("s,way=pmemsave,pid=77", &address, NULL));
    ck_assert_str_eq(address.path, "s");
    ck_assert_int_eq(address.way, ZC_QEMU_MONITOR);
    ck_assert_int_eq(address.pid, 77);
    zc_qemu_address_clear(&address);
}
END_TEST

START_TEST(bad_addresses_are_refused)
{
    static const char *const bad[] = { "",        ",way=file", "s,",       "s,way=",
                                       "s,pid=0", "s,pid=x",   "s,pid=-1", "s,way=files" };
    struct zc_qemu_address address;
    GError *error = NULL;

    ck_assert(!zc_qemu_address_parse(bad[_i], &address, &error));
    ck_assert_int_eq(error->code, ZCMIG_ERROR_USAGE);
    g_clear_error(&error);
}
END_TEST

START_TEST(progress_is_what_query_migrate_says)
{
    g_autoptr(JsonNode) active = json_from_string(
        "{\"status\": \"active\", \"expected-downtime\": 300, \"ram\": {\"total\": 1000, "
        "\"remaining\": 900, \"transferred\": 100, \"dirty-sync-count\": 2, "
        "\"dirty-pages-rate\": 7}}",
        NULL);
    g_autoptr(JsonNode) failed = json_from_string(
        "{\"status\": \"failed\", \"error-desc\": \"it broke\", \"ram\": {\"total\": -1}}", NULL);
    g_autoptr(JsonNode) none = json_from_string("{\"ram\": 7, \"status\": [1]}", NULL);
    struct zc_qemu_progress progress;

    zc_qemu_read_progress(active, &progress);
    ck_assert_str_eq(progress.status, "active");
    ck_assert_uint_eq(progress.total_bytes, 1000);
    ck_assert_uint_eq(progress.remaining_bytes, 900);
    ck_assert_uint_eq(progress.transferred_bytes, 100);
    ck_assert_uint_eq(progress.iteration, 2);
    ck_assert_uint_eq(progress.dirty_pages_per_s, 7);
    ck_assert_uint_eq(progress.expected_downtime_ms, 300);
    zc_qemu_read_progress(failed, &progress);
    ck_assert_str_eq(progress.status, "failed");
    ck_assert_str_eq(progress.reason, "it broke");
    ck_assert_uint_eq(progress.total_bytes, 0);
    zc_qemu_read_progress(none, &progress);
    ck_assert_str_eq(progress.status, "none");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-qemu");
    TCase *tcase = tcase_create("qemu");

    tcase_add_loop_test(tcase, blocks_are_read_whatever_the_columns, 0, (int)G_N_ELEMENTS(tables));
    tcase_add_loop_test(tcase, what_is_no_table_of_blocks_is_refused, 0, 7);
    tcase_add_test(tcase, the_layout_is_that_of_memory_and_of_ram_only);
    tcase_add_test(tcase, a_region_is_the_end_of_a_blocks_name);
    tcase_add_test(tcase, a_record_is_found_by_all_that_is_known_of_it);
    tcase_add_test(tcase, memory_is_read_where_it_is_mapped_and_nowhere_else);
    tcase_add_test(tcase, addresses_are_taken_apart);
    tcase_add_loop_test(tcase, bad_addresses_are_refused, 0, 8);
    tcase_add_test(tcase, progress_is_what_query_migrate_says);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
