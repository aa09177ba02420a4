"""gcc's precompiled headers."""

# Of the position that programs have: with -c opt a library has objects of both kinds.
def _object_of(library):
    for input in library[CcInfo].linking_context.linker_inputs.to_list():
        if input.owner == library.label:
            built = input.libraries[0]
            return (built.objects or built.pic_objects)[0]
    fail("%s has no object" % library.label)

def _precompiled_header_impl(ctx):
    precompiled = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    digest = ctx.actions.declare_file(ctx.label.name + "_digest.h")
    ctx.actions.symlink(output = precompiled, target_file = _object_of(ctx.attr.library))
    ctx.actions.symlink(output = header, target_file = ctx.file.source)
    ctx.actions.run_shell(
        inputs = [precompiled],
        outputs = [digest],
        command = "echo \"// $(sha256sum <%s)\" >%s" % (precompiled.path, digest.path),
    )
    return [DefaultInfo(files = depset([precompiled, header, digest]))]

precompiled_header = rule(
    doc = "Headers for a cc_library: `<name>.h`, `<name>.h.gch` beside it, which gcc takes in its place " +
          "if it was compiled with the same flags, and `<name>_digest.h`. gcc does not say that what " +
          "it compiled depends on the second: who includes the third as well says it.",
    implementation = _precompiled_header_impl,
    attrs = {
        "library": attr.label(
            mandatory = True,
            providers = [CcInfo],
            doc = "cc_library of `source` alone, with -xc++-header in its copts",
        ),
        "source": attr.label(mandatory = True, allow_single_file = [".cc"]),
    },
)
