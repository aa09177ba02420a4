#include "samples/httpd/directory.h"

#include <io.h>
#include <windows.h>

#include "samples/httpd/windows_name.h"

/* A name that is no UTF-16, or that document_open() would refuse, is left out. */
static int add_entry(const FILE_ID_BOTH_DIR_INFO *entry, bool follow_symlinks,
                     struct names *names) {
  char name[3 * MAX_PATH + 1];
  int name_len = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, entry->FileName,
                                     (int)(entry->FileNameLength / sizeof(WCHAR)), name,
                                     sizeof(name) - 1, NULL, NULL);
  if (name_len <= 0) return 0;
  name[name_len] = '\0';
  if (!windows_name_is_plain(name)) return 0;
  if (!follow_symlinks && (entry->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)) return 0;
  return names_add(names, name, (entry->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0);
}

static int add_entries(const char *bytes, bool follow_symlinks, struct names *names) {
  for (;;) {
    const FILE_ID_BOTH_DIR_INFO *entry = (const FILE_ID_BOTH_DIR_INFO *)(const void *)bytes;
    if (add_entry(entry, follow_symlinks, names) != 0) return -1;
    if (entry->NextEntryOffset == 0) return 0;
    bytes += entry->NextEntryOffset;
  }
}

int directory_read(int directory_fd, bool follow_symlinks, struct names *names) {
  HANDLE handle = (HANDLE)_get_osfhandle(directory_fd);
  LARGE_INTEGER bytes[16 * 1024 / sizeof(LARGE_INTEGER)]; /* aligned for the entries */
  FILE_INFO_BY_HANDLE_CLASS from = FileIdBothDirectoryRestartInfo;
  int result = 0;
  while (result == 0 && GetFileInformationByHandleEx(handle, from, bytes, sizeof(bytes))) {
    result = add_entries((const char *)bytes, follow_symlinks, names);
    from = FileIdBothDirectoryInfo;
  }
  if (result == 0 && GetLastError() != ERROR_NO_MORE_FILES) result = -1;
  _close(directory_fd);
  return result;
}
