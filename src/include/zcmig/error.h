/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one error domain of libzcmig.  Codes are chosen by what the caller can
 * do about them, not by where they arose; the kernel's errno, where there is
 * one, is kept beside the code and read with zcmig_error_get_errno().
 */
#ifndef ZCMIG_ERROR_H
#define ZCMIG_ERROR_H

#include <glib.h>

G_BEGIN_DECLS

#define ZCMIG_ERROR (zcmig_error_quark())

/**
 * enum zcmig_error_code - what went wrong, by remedy
 * @ZCMIG_ERROR_FAILED: nothing below fits; read the message
 * @ZCMIG_ERROR_USAGE: an argument is not of the allowed form or range: call again, corrected
 * @ZCMIG_ERROR_UNSUPPORTED: this kernel, this build or the peer cannot do it: choose another way
 * @ZCMIG_ERROR_CONNECT: no connection could be made or accepted: check the address and the peer
 * @ZCMIG_ERROR_PROTOCOL: the peer sent what the protocol does not allow: wrong peer or version
 * @ZCMIG_ERROR_DISCONNECTED: the connection broke off: reset, or an end of stream too early
 * @ZCMIG_ERROR_PEER: the peer said that it failed: its own message says why
 * @ZCMIG_ERROR_SOURCE: the source cannot be read, or changed its size while it was read
 * @ZCMIG_ERROR_OUTPUT: the output cannot be written: disk full, no permission
 * @ZCMIG_ERROR_LIMIT: a limit that the user or the system set would be passed: memory, blocks
 * @ZCMIG_ERROR_MISMATCH: memory arrived that is not what was sent
 * @ZCMIG_ERROR_CANCELLED: somebody here or at the peer cancelled
 * @ZCMIG_ERROR_TIMEOUT: a deadline passed; the message says what was waited for
 */
enum zcmig_error_code {
    ZCMIG_ERROR_FAILED,
    ZCMIG_ERROR_USAGE,
    ZCMIG_ERROR_UNSUPPORTED,
    ZCMIG_ERROR_CONNECT,
    ZCMIG_ERROR_PROTOCOL,
    ZCMIG_ERROR_DISCONNECTED,
    ZCMIG_ERROR_PEER,
    ZCMIG_ERROR_SOURCE,
    ZCMIG_ERROR_OUTPUT,
    ZCMIG_ERROR_LIMIT,
    ZCMIG_ERROR_MISMATCH,
    ZCMIG_ERROR_CANCELLED,
    ZCMIG_ERROR_TIMEOUT,
};

GQuark zcmig_error_quark(void);

/**
 * zcmig_error_get_errno() - the kernel's errno behind an error
 * @error: an error of any domain, or NULL
 *
 * Returns: a positive errno, or 0 when no system call was at fault.
 * Threads: any.
 */
int zcmig_error_get_errno(const GError *error);

/**
 * zcmig_error_exit_code() - the exit code that the zcmig command documents for an error
 * @error: an error of any domain, or NULL for success
 *
 * Returns: 0 done, 1 failed, 2 usage, 3 memory mismatch, 4 cancelled or timed out.
 */
int zcmig_error_exit_code(const GError *error);

G_END_DECLS

#endif
