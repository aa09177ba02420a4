#include "samples/httpd/windows_name.h"

#include <stddef.h>
#include <string.h>

#include <event2/util.h>

static bool has_forbidden_character(const char *component) {
  for (; *component != '\0'; component++)
    if ((unsigned char)*component < 0x20 || strchr("<>:\"/\\|?*", *component) != NULL) return true;
  return false;
}

/* COM and LPT also come with the superscript digits one to three, here in UTF-8. */
static bool is_port_number(const char *text, size_t len) {
  if (len == 1) return *text >= '0' && *text <= '9';
  return len == 2 && text[0] == '\xc2' && strchr("\xb9\xb2\xb3", text[1]) != NULL;
}

static bool is_device(const char *component) {
  static const char *const kDevices[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
  size_t stem_len = strcspn(component, ".");
  while (stem_len > 0 && component[stem_len - 1] == ' ') stem_len--;
  for (size_t i = 0; i < sizeof(kDevices) / sizeof(kDevices[0]); i++)
    if (strlen(kDevices[i]) == stem_len &&
        evutil_ascii_strncasecmp(component, kDevices[i], stem_len) == 0)
      return true;
  return stem_len > 3 && is_port_number(component + 3, stem_len - 3) &&
         (evutil_ascii_strncasecmp(component, "COM", 3) == 0 ||
          evutil_ascii_strncasecmp(component, "LPT", 3) == 0);
}

bool windows_name_is_plain(const char *component) {
  size_t len = strlen(component);
  if (len == 0 || component[len - 1] == '.' || component[len - 1] == ' ') return false;
  return !has_forbidden_character(component) && !is_device(component);
}
