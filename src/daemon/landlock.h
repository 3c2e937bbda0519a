/* SPDX-License-Identifier: MIT
 *
 * Landlock, as landlock(7) has it. The header that the build finds may be older than the kernel.
 */
#ifndef KN_DAEMON_LANDLOCK_H
#define KN_DAEMON_LANDLOCK_H

/* Of the kernel's interface; 0 or less: it has none. */
int kn_landlock_version(void);
/* From here on this process opens no file, binds and connects no TCP, reaches no abstract unix socket and
 * signals nobody outside, as far as the kernel knows to forbid it; what is open stays so. No new privileges
 * are set before. 0, also where there is no Landlock; -1 with errno. */
int kn_landlock_forbid(void);

#endif
