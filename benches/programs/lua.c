/* Lua: the script lua.lua, which is part of the program. WASI here has no setjmp, so errors end the program
 * (guests/lua/host.h); the script raises none. */
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"
#include "program.h"

static const char script[] = {
#embed "lua.lua"
};

_Noreturn void lua_error_ends(void) { fail("Lua raised an error"); }

int main(int argc, char **argv) {
    uint64_t digest = HASH_START;
    lua_State *lua = luaL_newstate();
    if (!lua) fail("out of memory");
    luaL_openlibs(lua);
    if (luaL_loadbufferx(lua, script, sizeof script, "=lua.lua", "t") != LUA_OK) fail(lua_tostring(lua, -1));
    lua_pushinteger(lua, repeat_count(argc, argv, 4));
    lua_call(lua, 1, 1);
    size_t length;
    const char *result = lua_tolstring(lua, -1, &length);
    if (!result) fail("the script returned no string");
    digest = hash(digest, result, length);
    lua_close(lua);
    return report("lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE, digest);
}
