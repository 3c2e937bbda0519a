/* SPDX-License-Identifier: MIT
 *
 * INI files by inih, with the number of the line, no line cut, and files that include folders.
 *
 *      include = /etc/koine/koined.d       before the first section: all *.ini in it, by name
 *      [endpoint NAME]
 *      key = value                          ; a remark
 */
#ifndef KN_DAEMON_INIFILE_H
#define KN_DAEMON_INIFILE_H

#include <koine/value.h>

struct kn_ini {
    /* One line; `section` is "" before the first one. Negative, and `why` without the place: stop. */
    int (*line)(struct kn_ini *ini, const char *section, const char *key, const char *value,
                struct koine_why *why);
    void *arg;
    char where[200]; /* "file:line" of the line at hand */
};

int kn_ini_read(struct kn_ini *ini, const char *path, struct koine_why *why);

#endif
