/* Classes of bytes (http/scan.h) by nibbles: a byte is of the class if what low[its low nibble] and
 * high[its high nibble] say has a bit in common. */

/* Token: each high nibble with tokens has a bit of its own. */
#define TOKEN_LOW \
  0x3a, 0x3f, 0x3e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3e, 0x3e, 0x3d, 0x15, 0x34, 0x15, 0x3d, 0x1c
#define TOKEN_HIGH 0, 0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0, 0, 0, 0, 0, 0, 0, 0

/* Target: 0x01 for those from '!' to '/', 0x04 for those from 'p' to '~', 0x02 for those between.
 */
#define TARGET_LOW 6, 7, 7, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 3
#define TARGET_HIGH 0, 0, 0x01, 0x02, 0x02, 0x02, 0x02, 0x04, 0, 0, 0, 0, 0, 0, 0, 0

/* What is not text: 0x01 for those below 0x10, 0x02 for those below ' ', 0x04 for DEL. */
#define NOT_TEXT_LOW 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 3, 3, 3, 3, 7
#define NOT_TEXT_HIGH 0x01, 0x02, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 0
