/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: gnuplot reads its script from us and writes the picture to us, so no
 * file name gets into the script.
 */
#include "config.h"

#include <gio/gio.h>
#include <string.h>

#include "base/size.h"
#include "tools/bench-report.h"

bool zc_bench_can_plot(const char *path, GError **error)
{
    g_autofree char *gnuplot = g_find_program_in_path("gnuplot");

    if (!g_str_has_suffix(path, ".svg") && !g_str_has_suffix(path, ".png")) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--plot: got '%s', allowed are names that end in .svg or .png", path);
        return false;
    }
    if (!gnuplot) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_UNSUPPORTED,
                    "--plot: gnuplot is not installed (Debian package gnuplot-nox)");
        return false;
    }
    return true;
}

/* One group of bars for each way and chunk size; the engines come in the same order in each. */
static char *make_script(const struct zcmig_bench_row *rows, unsigned int n, bool svg)
{
    GString *script = g_string_new("$data << EOD\n");
    unsigned int n_engines = 0;

    while (n_engines < n && rows[n_engines].chunk_bytes == rows[0].chunk_bytes &&
           (n_engines == 0 || strcmp(rows[n_engines].engine, rows[0].engine) != 0)) {
        n_engines++;
    }
    for (unsigned int i = 0; i < n; i++) {
        if (i % n_engines == 0) {
            g_autofree char *chunk = zc_size_format(rows[i].chunk_bytes);
            g_autofree char *way = g_strcanon(g_strdup(rows[i].way),
                                              G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS ":.[]/", '-');
            g_string_append_printf(script, "\"%s, %s\"", way, chunk);
        }
        g_autofree char *figure =
            g_strdup_printf(" %.4f", zc_bench_per_gib(&rows[i], rows[i].user_ns + rows[i].sys_ns));
        g_strdelimit(figure, ",", '.'); /* whatever the locale */
        g_string_append(script, figure);
        g_string_append(script, i % n_engines == n_engines - 1 ? "\n" : "");
    }
    g_string_append_printf(script,
                           "EOD\n"
                           "set terminal %s size 900,500\n"
                           "set style data histograms\n"
                           "set style fill solid 0.7 border -1\n"
                           "set ylabel 'CPU seconds per GiB, sending thread'\n"
                           "set yrange [0:*]\n"
                           "set grid ytics\n"
                           "set xtics rotate by -30\n"
                           "set key outside\n"
                           "plot ",
                           svg ? "svg" : "pngcairo");
    for (unsigned int i = 0; i < n_engines; i++) {
        g_string_append_printf(script, "%s$data using %u:xtic(1) title '%s' noenhanced",
                               i > 0 ? ", " : "", i + 2, rows[i].engine);
    }
    g_string_append_c(script, '\n');
    return g_string_free(script, FALSE);
}

bool zc_bench_plot(const zcmig_bench *bench, const char *path, GError **error)
{
    unsigned int n;
    const struct zcmig_bench_row *rows = zcmig_bench_get_medians(bench, &n);
    g_autofree char *script = make_script(rows, n, g_str_has_suffix(path, ".svg"));
    g_autoptr(GBytes) input = g_bytes_new(script, strlen(script));
    g_autoptr(GBytes) picture = NULL;
    g_autoptr(GSubprocess) gnuplot =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, error,
                         "gnuplot", "-", NULL);
    gsize length = 0;

    if (!gnuplot || !g_subprocess_communicate(gnuplot, input, NULL, &picture, NULL, error)) {
        return false;
    }
    if (!g_subprocess_get_successful(gnuplot) || g_bytes_get_size(picture) == 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT, "--plot: gnuplot failed");
        return false;
    }
    const char *data = g_bytes_get_data(picture, &length);
    return g_file_set_contents(path, data, (gssize)length, error);
}
