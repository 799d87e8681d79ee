/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of a snapshot, and the names in it.
 *
 * Design: a reader takes from the index only what it needs to send the guest
 * again; the list of devices is for people, because the tail itself is what
 * counts.  File names follow from block names, so the index cannot point
 * outside of its directory.
 */
#include "config.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "guest/snapshot.h"

#define FORMAT "zcmig-snapshot"
#define FORMAT_VERSION 1
#define EARLY_MEMBER "early-devices" /* where they are in the stream */
#define EARLY_BEFORE "before-ram"
#define EARLY_BEHIND "behind-ram-start"

void zc_snapshot_init(struct zc_snapshot *snapshot)
{
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->devices = g_array_new(FALSE, TRUE, sizeof(struct zc_snapshot_device));
}

void zc_snapshot_clear(struct zc_snapshot *snapshot)
{
    g_clear_pointer(&snapshot->machine, g_free);
    g_clear_pointer(&snapshot->configuration, g_bytes_unref);
    g_clear_pointer(&snapshot->tail, g_bytes_unref);
    g_clear_pointer(&snapshot->early, g_bytes_unref);
    g_clear_pointer(&snapshot->devices, g_array_unref);
}

char *zc_snapshot_file_name(const char *name)
{
    GString *file = g_string_new(NULL);

    for (const char *at = name; *at; at++) {
        bool plain = *at > ' ' && *at < 0x7f && *at != '/' && *at != '%' &&
                     !(*at == '.' && at == name);
        if (plain) {
            g_string_append_c(file, *at);
        } else {
            g_string_append_printf(file, "%%%02x", (unsigned char)*at);
        }
    }
    return g_string_free(file, FALSE);
}

/* ----------------------------------------------------------------- writing */

static void add_text(JsonBuilder *builder, const char *name, const char *text)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, text);
}

static void add_count(JsonBuilder *builder, const char *name, uint64_t count)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)count);
}

static uint64_t count_zero(const struct zc_manifest_block *block)
{
    uint64_t n = 0;

    for (uint64_t page = 0; page < block->n_pages; page++) {
        n += block->digests[page] == ZC_DIGEST_ZERO_PAGE;
    }
    return n;
}

static void add_blocks(JsonBuilder *builder, const struct zc_ram *ram,
                       const struct zc_manifest *manifest)
{
    json_builder_set_member_name(builder, "blocks");
    json_builder_begin_array(builder);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        g_autofree char *file = zc_snapshot_file_name(ram->blocks[i].name);
        g_autofree char *path = g_strconcat("ram/", file, NULL);
        json_builder_begin_object(builder);
        add_text(builder, "name", ram->blocks[i].name);
        add_text(builder, "file", path);
        add_count(builder, "bytes", ram->blocks[i].used_bytes);
        add_count(builder, "zero-pages", count_zero(&manifest->blocks[i]));
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

static void add_devices(JsonBuilder *builder, const struct zc_snapshot *snapshot)
{
    json_builder_set_member_name(builder, "devices");
    json_builder_begin_array(builder);
    for (guint i = 0; i < snapshot->devices->len; i++) {
        const struct zc_snapshot_device *device =
            &g_array_index(snapshot->devices, struct zc_snapshot_device, i);
        json_builder_begin_object(builder);
        add_text(builder, "name", device->name);
        add_count(builder, "instance", device->instance);
        add_count(builder, "version", device->version);
        add_count(builder, "bytes", device->bytes);
        if (device->is_early) {
            json_builder_set_member_name(builder, "early");
            json_builder_add_boolean_value(builder, TRUE);
        }
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

char *zc_snapshot_write_index(const struct zc_snapshot *snapshot, const struct zc_ram *ram,
                              const struct zc_manifest *manifest)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();

    json_builder_begin_object(builder);
    add_text(builder, "format", FORMAT);
    add_count(builder, "version", FORMAT_VERSION);
    add_text(builder, "machine", snapshot->machine ? snapshot->machine : "none");
    if (snapshot->has_uuid) {
        GString *uuid = g_string_new(NULL);
        for (unsigned int i = 0; i < sizeof(snapshot->uuid); i++) {
            const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
            g_string_append_printf(uuid, "%s%02x", dash, snapshot->uuid[i]);
        }
        add_text(builder, "uuid", uuid->str);
        g_string_free(uuid, TRUE);
    }
    add_count(builder, "page-size", ZC_PAGE_BYTES);
    add_count(builder, "ram-section-id", snapshot->ram_section_id);
    if (snapshot->early) {
        add_text(builder, EARLY_MEMBER, snapshot->early_before_ram ? EARLY_BEFORE : EARLY_BEHIND);
    }
    add_blocks(builder, ram, manifest);
    add_devices(builder, snapshot);
    json_builder_end_object(builder);
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}

/* ----------------------------------------------------------------- reading */

/* Member @name when it is of @type, else NULL. */
static JsonNode *get(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node
                                                                                         : NULL;
}

static const char *get_text(JsonObject *object, const char *name)
{
    JsonNode *node = get(object, name, G_TYPE_STRING);

    return node ? json_node_get_string(node) : NULL;
}

/* -1: not there, or no count. */
static gint64 get_count(JsonObject *object, const char *name)
{
    JsonNode *node = get(object, name, G_TYPE_INT64);

    return node ? json_node_get_int(node) : -1;
}

static bool read_blocks(JsonObject *root, struct zc_ram *ram, GError **error)
{
    JsonNode *node = json_object_get_member(root, "blocks");
    JsonArray *blocks = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (guint i = 0; blocks && i < json_array_get_length(blocks); i++) {
        JsonNode *entry = json_array_get_element(blocks, i);
        JsonObject *block = JSON_NODE_HOLDS_OBJECT(entry) ? json_node_get_object(entry) : NULL;
        const char *name = block ? get_text(block, "name") : NULL;
        gint64 bytes = block ? get_count(block, "bytes") : -1;
        if (!name || bytes <= 0) {
            return zc_error(error, ZCMIG_ERROR_SOURCE, "index: block %u has no name or length", i);
        }
        if (zc_ram_add(ram, name, NULL, (uint64_t)bytes, error) < 0) {
            return false;
        }
    }
    return ram->n_blocks > 0 || zc_error(error, ZCMIG_ERROR_SOURCE, "index: no blocks");
}

static bool read_uuid(JsonObject *root, struct zc_snapshot *snapshot, GError **error)
{
    const char *at = get_text(root, "uuid");

    if (!at) {
        return true;
    }
    if (!g_uuid_string_is_valid(at)) {
        return zc_error(error, ZCMIG_ERROR_SOURCE, "index: '%s' is no UUID", at);
    }
    for (unsigned int i = 0; i < sizeof(snapshot->uuid); i++) {
        at += *at == '-';
        snapshot->uuid[i] =
            (uint8_t)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
        at += 2;
    }
    snapshot->has_uuid = true;
    return true;
}

/* Whether there is state of early devices, and where in the stream. */
static bool read_early(JsonObject *root, struct zc_snapshot *snapshot, GError **error)
{
    const char *place = get_text(root, EARLY_MEMBER);

    snapshot->has_early = json_object_has_member(root, EARLY_MEMBER);
    snapshot->early_before_ram = g_strcmp0(place, EARLY_BEFORE) == 0;
    return !snapshot->has_early || snapshot->early_before_ram ||
           g_strcmp0(place, EARLY_BEHIND) == 0 ||
           zc_error(error, ZCMIG_ERROR_SOURCE,
                    "index: " EARLY_MEMBER ": got '%s', allowed are " EARLY_BEFORE
                    " and " EARLY_BEHIND,
                    place ? place : "no text");
}

bool zc_snapshot_read_index(const char *text, size_t length, struct zc_snapshot *snapshot,
                            struct zc_ram *ram, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();

    if (!json_parser_load_from_data(parser, text, (gssize)length, NULL) ||
        !json_parser_get_root(parser) || !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
        return zc_error(error, ZCMIG_ERROR_SOURCE, "index: not a JSON object");
    }
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    const char *machine = get_text(root, "machine");
    gint64 id = get_count(root, "ram-section-id");
    if (g_strcmp0(get_text(root, "format"), FORMAT) != 0 ||
        get_count(root, "version") != FORMAT_VERSION) {
        return zc_error(error, ZCMIG_ERROR_SOURCE, "index: not of a " FORMAT " of version %d",
                        FORMAT_VERSION);
    }
    if (!machine || id < 0 || id > UINT32_MAX) {
        return zc_error(error, ZCMIG_ERROR_SOURCE, "index: no machine or no ram-section-id");
    }
    g_free(snapshot->machine);
    snapshot->machine = g_strdup(machine);
    snapshot->ram_section_id = (uint32_t)id;
    return read_early(root, snapshot, error) && read_uuid(root, snapshot, error) &&
           read_blocks(root, ram, error);
}
