/* codegen/json_out.h: whatever is put in comes out as JSON, laid out as people write it. */
#include "codegen/json_out.h"

#include "base/check.h"

#include "../check.h"

CASE(nothing_but_an_object)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_json_out json = {.out = &text};
    mesh_json_out_object(&json, NULL);
    mesh_json_out_array(&json, "none");
    mesh_json_out_end(&json);
    mesh_json_out_text(&json, "absent", NULL);
    mesh_json_out_end(&json);
    CHECK_STR(text.p, "{\n  \"none\": []\n}\n");
}

CASE(levels_are_indented_by_two)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_json_out json = {.out = &text};
    mesh_json_out_object(&json, NULL);
    mesh_json_out_object(&json, "a");
    mesh_json_out_long(&json, "n", -7);
    mesh_json_out_array(&json, "list");
    mesh_json_out_bool(&json, NULL, true);
    mesh_json_out_null(&json, NULL);
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
    mesh_json_out_double(&json, "b", 99.9);
    mesh_json_out_end(&json);
    CHECK_STR(text.p, "{\n  \"a\": {\n    \"n\": -7,\n    \"list\": [\n      true,\n      null\n    ]\n  },\n  \"b\": 99.9\n}\n");
}

CASE(a_line_holds_all_that_is_in_it)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_json_out json = {.out = &text};
    mesh_json_out_array(&json, NULL);
    mesh_json_out_object_line(&json, NULL);
    mesh_json_out_text(&json, "a", "x");
    mesh_json_out_array_line(&json, "b");
    mesh_json_out_long(&json, NULL, 1);
    mesh_json_out_long(&json, NULL, 2);
    mesh_json_out_end(&json);
    mesh_json_out_object(&json, "c");
    mesh_json_out_bool(&json, "d", false);
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
    mesh_json_out_object(&json, NULL);
    mesh_json_out_null(&json, "e");
    mesh_json_out_end(&json);
    mesh_json_out_end(&json);
    CHECK_STR(text.p, "[\n  {\"a\": \"x\", \"b\": [1, 2], \"c\": {\"d\": false}},\n  {\n    \"e\": null\n  }\n]\n");
}

CASE(texts_and_keys_are_escaped)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_json_out json = {.out = &text};
    mesh_json_out_object_line(&json, NULL);
    mesh_json_out_text(&json, "a \"key\"", "back\\slash \"quote\"\n\a\xff end");
    mesh_json_out_format(&json, "f", "%s=%d", "\t", 5);
    mesh_json_out_end(&json);
    CHECK_STR(text.p, "{\"a \\\"key\\\"\": \"back\\\\slash \\\"quote\\\"\\n\\u0007\xef\xbf\xbd end\", \"f\": \"\\t=5\"}\n");
}
