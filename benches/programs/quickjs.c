/* QuickJS-ng: the script quickjs.js, which is part of the program. */
#include "quickjs.h"
#include "program.h"

static const char script[] = {
#embed "quickjs.js" suffix(, 0)
};

int main(int argc, char **argv) {
    uint64_t digest = HASH_START;
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *context = runtime ? JS_NewContext(runtime) : NULL;
    if (!context) fail("out of memory");
    JSValue run = JS_Eval(context, script, sizeof script - 1, "quickjs.js", JS_EVAL_TYPE_GLOBAL);
    JSValue argument = JS_NewInt32(context, repeat_count(argc, argv, 5));
    JSValue result = JS_IsException(run) ? run : JS_Call(context, run, JS_UNDEFINED, 1, &argument);
    if (JS_IsException(result)) fail(JS_ToCString(context, JS_GetException(context)));
    size_t length;
    const char *text = JS_ToCStringLen(context, &length, result);
    if (!text) fail("the script returned no string");
    digest = hash(digest, text, length);
    JS_FreeCString(context, text);
    JS_FreeValue(context, result);
    JS_FreeValue(context, run);
    JS_FreeContext(context);
    JS_FreeRuntime(runtime);
    return report("quickjs", JS_GetVersion(), digest);
}
