/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "guest/snapshot.h"
#include "lib/unit.h"

START_TEST(block_names_are_file_names)
{
    static const struct {
        const char *block;
        const char *file;
    } rows[] = {
        { "pc.ram", "pc.ram" },
        { "0000:00:02.0/vga.vram", "0000:00:02.0%2fvga.vram" },
        { "/rom@etc/acpi/tables", "%2from@etc%2facpi%2ftables" },
        { "..", "%2e." },
        { "a%2fb", "a%252fb" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *file = zc_snapshot_file_name(rows[i].block);
        ck_assert_str_eq(file, rows[i].file);
    }
}
END_TEST

START_TEST(machine_types_have_versions)
{
    static const struct {
        const char *machine;
        unsigned int version;
    } rows[] = {
        { "pc-i440fx-7.2", 702 },    { "pc-q35-10.0", 1000 },  { "pc-q35-8.1", 801 },
        { "none", 0 },               { "pc-q35-rhel9.4.0", 0 }, { "pc-q35-noble", 0 },
        { "virt-9.2-deprecated", 0 }, { "pc-q35-8.1.0", 0 },    { "-", 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ck_assert_uint_eq(zc_snapshot_machine_version(rows[i].machine), rows[i].version);
    }
}
END_TEST

START_TEST(index_is_read_as_it_was_written)
{
    struct zc_snapshot written, read;
    struct zc_ram ram, got;
    GError *error = NULL;

    zc_snapshot_init(&written);
    zc_snapshot_init(&read);
    zc_ram_init(&ram);
    zc_ram_init(&got);
    zc_ram_add(&ram, "pc.ram", NULL, 1 << 20, NULL);
    zc_ram_add(&ram, "0000:00:02.0/vga.vram", NULL, 8192, NULL);
    struct zc_manifest *manifest = zc_manifest_new(&ram, NULL);
    written.machine = g_strdup("pc-q35-10.0");
    written.ram_section_id = 2;
    written.has_uuid = true;
    memcpy(written.uuid, "0123456789abcdef", sizeof(written.uuid));

    g_autofree char *text = zc_snapshot_write_index(&written, &ram, manifest);
    ck_assert_msg(zc_snapshot_read_index(text, strlen(text), &read, &got, &error), "%s",
                  error ? error->message : "");
    ck_assert_str_eq(read.machine, "pc-q35-10.0");
    ck_assert_uint_eq(read.ram_section_id, 2);
    ck_assert(read.has_uuid);
    ck_assert_mem_eq(read.uuid, written.uuid, sizeof(read.uuid));
    ck_assert_uint_eq(got.n_blocks, 2);
    ck_assert_str_eq(got.blocks[1].name, ram.blocks[1].name);
    ck_assert_uint_eq(got.blocks[1].used_bytes, 8192);

    zc_manifest_free(manifest);
    zc_ram_clear(&ram);
    zc_ram_clear(&got);
    zc_snapshot_clear(&written);
    zc_snapshot_clear(&read);
}
END_TEST

#define HEAD "{\"format\":\"zcmig-snapshot\",\"version\":1,\"machine\":\"pc\",\"ram-section-id\":2"

START_TEST(what_is_no_index_is_refused)
{
    static const struct {
        const char *text;
        const char *part;
    } rows[] = {
        { "", "not a JSON object" },
        { "[]", "not a JSON object" },
        { "{}", "not of a zcmig-snapshot" },
        { "{\"format\":7,\"version\":1}", "not of a zcmig-snapshot" },
        { "{\"format\":\"zcmig-snapshot\",\"version\":1}", "no machine" },
        { HEAD "}", "no blocks" },
        { HEAD ",\"blocks\":[3]}", "block 0 has no name" },
        { HEAD ",\"blocks\":[{\"name\":\"a\",\"bytes\":-4096}]}", "block 0 has no name" },
        { HEAD ",\"uuid\":\"x\",\"blocks\":[]}", "no UUID" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct zc_snapshot snapshot;
        struct zc_ram ram;
        GError *error = NULL;
        zc_snapshot_init(&snapshot);
        zc_ram_init(&ram);
        ck_assert(!zc_snapshot_read_index(rows[i].text, strlen(rows[i].text), &snapshot, &ram,
                                          &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_SOURCE, rows[i].part);
        zc_ram_clear(&ram);
        zc_snapshot_clear(&snapshot);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-snapshot");
    TCase *tcase = tcase_create("snapshot");

    tcase_add_test(tcase, block_names_are_file_names);
    tcase_add_test(tcase, machine_types_have_versions);
    tcase_add_test(tcase, index_is_read_as_it_was_written);
    tcase_add_test(tcase, what_is_no_index_is_refused);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
