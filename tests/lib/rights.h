/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up root's rights in a test's child: another user where one can get
 * at the file system, else (a root directory that only root may enter) root
 * without capabilities, which is the same to every check that is made here.
 */
#ifndef ZC_TESTS_RIGHTS_H
#define ZC_TESTS_RIGHTS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ZC_NOBODY 65534

/* False: there were none to give up, or the kernel refused. */
static inline bool zc_drop_rights(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2];
    struct stat root;

    if (geteuid() != 0) {
        return false;
    }
    if (stat("/", &root) == 0 && (root.st_mode & S_IXOTH)) {
        return setresgid(ZC_NOBODY, ZC_NOBODY, ZC_NOBODY) == 0 &&
               setresuid(ZC_NOBODY, ZC_NOBODY, ZC_NOBODY) == 0;
    }
    memset(none, 0, sizeof(none));
    return syscall(SYS_capset, &header, none) == 0;
}

#endif
