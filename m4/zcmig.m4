# SPDX-License-Identifier: GPL-2.0-or-later
# What configure asks of the machine, one macro a question.  Each answer is a
# line of the summary that configure ends with.

AC_DEFUN([ZC_ARG_BUILD_MODES], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers], [build with address and undefined-behaviour sanitizers])],
    [], [enable_sanitizers=no])
  AC_ARG_ENABLE([fuzzing],
    [AS_HELP_STRING([--enable-fuzzing], [build the libFuzzer targets (needs CC=clang)])],
    [], [enable_fuzzing=no])
  AC_ARG_ENABLE([gcc-warnings],
    [AS_HELP_STRING([--enable-gcc-warnings], [turn many warnings on, and into errors])],
    [], [enable_gcc_warnings=no])

  # clang warns in every use of G_DEFINE_EXTENDED_ERROR, whose pointer GLib has aligned
  AC_PREPROC_IFELSE([AC_LANG_SOURCE([[
#ifdef __clang__
#error clang
#endif
]])], [zc_cast_align=-Wcast-align], [zc_cast_align=])
  ZC_CFLAGS="-std=gnu11 -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wvla"
  AS_IF([test "x$enable_gcc_warnings" = xyes],
    [ZC_CFLAGS="$ZC_CFLAGS -Werror -Wshadow -Wundef -Wformat=2 -Wimplicit-fallthrough $zc_cast_align -Wmissing-declarations -Wredundant-decls -Wconversion -Wno-sign-conversion"])
  AS_IF([test "x$enable_sanitizers" = xyes],
    [ZC_CFLAGS="$ZC_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
     ZC_LDFLAGS="-fsanitize=address,undefined"])
  AS_IF([test "x$enable_fuzzing" = xyes], [
    AS_CASE([$CC], [*clang*], [], [AC_MSG_ERROR([--enable-fuzzing needs CC=clang, got CC=$CC])])
    ZC_CFLAGS="$ZC_CFLAGS -fsanitize=fuzzer-no-link"
    ZC_LDFLAGS="$ZC_LDFLAGS -fsanitize=fuzzer-no-link"])
  # An unresolved symbol is an error of ours, not of the program that loads the library; the
  # sanitizers resolve theirs only in the program.
  AS_IF([test "x$enable_sanitizers$enable_fuzzing" = xnono], [ZC_NO_UNDEFINED="-Wl,-z,defs"])
  AC_SUBST([ZC_CFLAGS])
  AC_SUBST([ZC_LDFLAGS])
  AC_SUBST([ZC_NO_UNDEFINED])
  AM_CONDITIONAL([ENABLE_FUZZING], [test "x$enable_fuzzing" = xyes])
  AM_CONDITIONAL([ENABLE_SANITIZERS], [test "x$enable_sanitizers" = xyes])
])

AC_DEFUN([ZC_CHECK_LIBRARIES], [
  PKG_CHECK_MODULES([GLIB], [glib-2.0 >= 2.72])
  PKG_CHECK_MODULES([GIO], [gio-2.0 >= 2.72])
  PKG_CHECK_MODULES([JSON], [json-glib-1.0 >= 1.6])
  PKG_CHECK_MODULES([XXHASH], [libxxhash >= 0.8.1])
  PKG_CHECK_MODULES([LIBNL_ROUTE], [libnl-route-3.0 >= 3.5], [have_libnl_route=yes
    AC_DEFINE([HAVE_LIBNL_ROUTE], [1], [zcmig doctor can look at routes and devices])],
    [have_libnl_route="no (lost: zcmig doctor)"])
  PKG_CHECK_MODULES([LIBTRACEFS], [libtracefs >= 1.6], [have_libtracefs=yes
    AC_DEFINE([HAVE_LIBTRACEFS], [1], [zcmig doctor can trace the kernel])],
    [have_libtracefs="no (lost: zcmig doctor --trace)"])
  PKG_CHECK_MODULES([LIBURING], [liburing >= 2.3], [have_liburing=yes
    AC_DEFINE([HAVE_LIBURING], [1], [--engine=io_uring can be had])],
    [have_liburing="no (lost: --engine=io_uring)"])
  PKG_CHECK_MODULES([CHECK], [check >= 0.15], [have_check=yes], [have_check="no (lost: tests/unit)"])
  AM_CONDITIONAL([HAVE_CHECK], [test "x$have_check" = xyes])
])

AC_DEFUN([ZC_CHECK_KERNEL_HEADERS], [
  AC_CHECK_HEADERS([linux/errqueue.h linux/vm_sockets.h], [],
    [AC_MSG_ERROR([the kernel's user headers are missing (package linux-libc-dev)])],
    [#include <sys/socket.h>
     #include <time.h>])
])

# Whether one function can be compiled for several instruction sets, picked at load time.
AC_DEFUN([ZC_CHECK_TARGET_CLONES], [
  AC_CACHE_CHECK([whether $CC has target_clones], [zc_cv_target_clones],
    [AS_IF([test "x$enable_sanitizers" = xyes || test "x$enable_fuzzing" = xyes],
      [zc_cv_target_clones=no],
      [AC_LINK_IFELSE([AC_LANG_PROGRAM(
        [[__attribute__((target_clones("default", "avx2", "arch=x86-64-v4"))) int f(int x) { return x + 1; }]],
        [[return f(0);]])], [zc_cv_target_clones=yes], [zc_cv_target_clones=no])])])
  AS_IF([test "x$zc_cv_target_clones" = xyes],
    [AC_DEFINE([ZC_TARGET_CLONES], [__attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))],
      [Marks a function to be compiled for several instruction sets])],
    [AC_DEFINE([ZC_TARGET_CLONES], [], [Marks a function to be compiled for several instruction sets])])
])

# Programs that are used when they are there: by the demo, by tests and by benchmarks.  Each is
# looked for again at run time; what configure finds is for the summary alone.
AC_DEFUN([ZC_CHECK_PROGRAM], [
  AC_PATH_PROG([$1], [$2], [no], [$PATH$PATH_SEPARATOR/sbin$PATH_SEPARATOR/usr/sbin])
  AS_IF([test "x$$1" = xno], [zc_found_$1="not found ($3)"], [zc_found_$1=$$1])
])

AC_DEFUN([ZC_CHECK_PROGRAMS], [
  ZC_CHECK_PROGRAM([QEMU], [qemu-system-x86_64], [lost: zcmig demo --image, the tests against QEMU])
  ZC_CHECK_PROGRAM([BUSYBOX], [busybox], [lost: zcmig demo --image, the tests with a guest kernel])
  AS_IF([test "x$BUSYBOX" != xno], [
    AC_MSG_CHECKING([whether $BUSYBOX is static])
    AS_IF([ldd "$BUSYBOX" 2>/dev/null | grep -q "=>"],
      [AC_MSG_RESULT([no])
       zc_found_BUSYBOX="not static (lost: zcmig demo --image, the tests with a guest kernel)"],
      [AC_MSG_RESULT([yes])])])
  ZC_CHECK_PROGRAM([IPROUTE], [ip], [lost: the tests in network namespaces])
  ZC_CHECK_PROGRAM([GNUPLOT], [gnuplot], [lost: plots of the benchmarks])
  ZC_CHECK_PROGRAM([GROFF], [groff], [lost: the check of the manual pages])
])

# Tests that cannot run here are skipped, unless they are named here: then they fail.
AC_DEFUN([ZC_ARG_REQUIRED_TESTS], [
  AC_ARG_WITH([required-tests],
    [AS_HELP_STRING([--with-required-tests=LIST],
      [make a skip of these a failure: all, or a comma-separated list of unit, cli, lint, session, pair, netns, kernel, qemu, lab, fuzz])],
    [], [with_required_tests=])
  AS_IF([test "x$with_required_tests" = xno], [with_required_tests=])
  AS_IF([test "x$with_required_tests" = xyes], [with_required_tests=all])
  AC_SUBST([ZC_REQUIRED_TESTS], [$with_required_tests])
])

AC_DEFUN([ZC_PRINT_SUMMARY], [
  AC_MSG_NOTICE([

  zcmig $VERSION
    compiler                $CC
    install to              $prefix
    vector clones           $zc_cv_target_clones
    sanitizers              $enable_sanitizers
    fuzz targets            $enable_fuzzing
    warnings are errors     $enable_gcc_warnings
    doctor (libnl-route)    $have_libnl_route
    doctor --trace (libtracefs) $have_libtracefs
    engine io_uring (liburing) $have_liburing
    unit tests (libcheck)   $have_check
    tests that must not skip ${with_required_tests:-none}

  optional, used at run time
    qemu-system-x86_64      $zc_found_QEMU
    busybox, static         $zc_found_BUSYBOX
    ip                      $zc_found_IPROUTE
    gnuplot                 $zc_found_GNUPLOT
    groff                   $zc_found_GROFF
])
])
