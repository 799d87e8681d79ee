/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What belongs to the shared library as a whole.  The library has its own copy
 * of base/log.c, hidden behind the symbol list, so a program can reach its
 * level only through here.
 */
#include "config.h"

#include <zcmig/zcmig.h>

#include "base/log.h"

void zcmig_set_verbosity(unsigned int level)
{
    zc_log_set_level(level >= 2 ? ZC_LOG_DEBUG : level == 1 ? ZC_LOG_INFO : ZC_LOG_WARNING);
}
