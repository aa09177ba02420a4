#ifndef SAMPLES_HTTPD_WINDOWS_NAME_H_
#define SAMPLES_HTTPD_WINDOWS_NAME_H_

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Whether one component of a name means exactly the file that it spells, whichever way Windows is
 * asked for it ("Naming Files, Paths, and Namespaces"). False for ".", ".." and "", for a character
 * that no file's name has (so no drive "C:", no stream "a:b", no backslash, no wildcard, no control
 * character), for a dot or a space at the end, which Win32 drops, and for the names of devices,
 * with any extension: CON, PRN, AUX, NUL, COM1 to COM9, LPT1 to LPT9, CONIN$, CONOUT$.
 */
bool windows_name_is_plain(const char *component);

#ifdef __cplusplus
}
#endif

#endif
