"""Guards that look at targets rather than at files."""

def _archives_of(libraries):
    found = []
    for library in libraries:
        archive = library.static_library or library.pic_static_library
        if archive:
            found.append(archive)
    return found

def _archives_impl(ctx):
    found = []
    for dep in ctx.attr.deps:
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            if linker_input.owner.workspace_name:
                continue
            found += _archives_of(linker_input.libraries)
    return [DefaultInfo(files = depset(found), runfiles = ctx.runfiles(files = found))]

# The archives of strata's own that a program which depends on deps links.
strata_archives = rule(
    implementation = _archives_impl,
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
)

_PackagesInfo = provider(
    "What a target needs.",
    fields = {"labels": "depset of the labels, its own included"},
)

def _packages_aspect_impl(target, ctx):
    below = []
    for name in ["deps", "implementation_deps"]:
        for dep in getattr(ctx.rule.attr, name, None) or []:
            if _PackagesInfo in dep:
                below.append(dep[_PackagesInfo].labels)
    actual = getattr(ctx.rule.attr, "actual", None)
    if actual and _PackagesInfo in actual:
        below.append(actual[_PackagesInfo].labels)
    return [_PackagesInfo(labels = depset([target.label], transitive = below))]

_packages_aspect = aspect(
    implementation = _packages_aspect_impl,
    attr_aspects = ["deps", "implementation_deps", "actual"],
)

def _layer_deps_test_impl(ctx):
    wrong = []
    for target, allowed in ctx.attr.layers.items():
        for label in target[_PackagesInfo].labels.to_list():
            layer = label.package.partition("/")[0]
            if not label.workspace_name and layer not in allowed.split(" "):
                wrong.append("%s depends on %s, and may use: %s" % (target.label, label, allowed))
    if bool(wrong) == ctx.attr.expect_violation:
        script = "exit 0"
    else:
        script = "exit 1"
    ctx.actions.write(
        ctx.outputs.executable,
        "#!/bin/sh\ncat <<'END'\n%s\nEND\n%s\n" % (
            "\n".join(wrong) or "every dependency points down",
            script,
        ),
        is_executable = True,
    )

# What `bazel query "deps(//buffer)"` would show: layers -> the directories each may need.
layer_deps_test = rule(
    implementation = _layer_deps_test_impl,
    test = True,
    attrs = {
        "expect_violation": attr.bool(doc = "For the guard's own test."),
        "layers": attr.label_keyed_string_dict(aspects = [_packages_aspect]),
    },
)
