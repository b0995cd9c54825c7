/* Included before every Lua source file, natively too, so that both builds are the same program: errors end it instead
 * of jumping, the hash seed is fixed, and what WASI lacks (temporary names, a shell) answers that it is not there. */
#include <stdio.h>
#include <stdlib.h>

_Noreturn void lua_error_ends(void);

#define luai_jmpbuf int
#define LUAI_THROW(L, c) ((void)(c), lua_error_ends())
#define LUAI_TRY(L, c, a) { a }
#define luai_makeseed(L) 0x5eed
#define l_system(command) ((void)(command), -1)
#define LUA_TMPNAMBUFSIZE 1
#define lua_tmpnam(buffer, error) ((error) = 1)
#define tmpfile() NULL
