/* A minimal Lua command: runs one script file with the standard libraries.
 *
 *     lua SCRIPT [ARGUMENTS]
 *
 * WASI has no setjmp here, so Lua is built so that an error ends the program (see host.h). */
#include <stdio.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

_Noreturn void lua_error_ends(void) {
    fputs("lua: an error was raised, and this build cannot catch it\n", stderr);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("usage: lua SCRIPT [ARGUMENTS]\n", stderr);
        return 2;
    }
    lua_State *lua = luaL_newstate();
    if (!lua) {
        fputs("lua: out of memory\n", stderr);
        return 1;
    }
    luaL_openlibs(lua);
    lua_createtable(lua, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(lua, argv[i]);
        lua_rawseti(lua, -2, i - 1);
    }
    lua_setglobal(lua, "arg");
    if (luaL_loadfile(lua, argv[1]) != LUA_OK) {
        fprintf(stderr, "lua: %s\n", lua_tostring(lua, -1));
        return 1;
    }
    lua_call(lua, 0, 0);
    lua_close(lua);
    return 0;
}
