//! The comments in the protos, which are the document's descriptions.

use prost_reflect::{EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor};
use prost_reflect::{MessageDescriptor, MethodDescriptor, ServiceDescriptor};

/// A part of a proto that can have a comment.
pub trait Commented {
    /// Returns the file that declares it, and the path that `SourceCodeInfo` knows it by in that file.
    fn place(&self) -> (FileDescriptor, &[i32]);

    /// Returns its comment as Markdown. The text is empty if there is no comment.
    fn comment(&self) -> String {
        let (file, path) = self.place();
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        let location = info.and_then(|info| info.location.iter().find(|location| location.path == path));
        location.and_then(|location| location.leading_comments.as_deref()).map(tidy).unwrap_or_default()
    }
}

macro_rules! commented {
    ($($type:ty),*) => { $(
        impl Commented for $type {
            fn place(&self) -> (FileDescriptor, &[i32]) {
                (self.parent_file(), self.path())
            }
        }
    )* };
}

commented!(
    MessageDescriptor,
    FieldDescriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    ServiceDescriptor,
    MethodDescriptor
);

/// Joins the lines of each paragraph, and keeps paragraphs apart.
fn tidy(comment: &str) -> String {
    let lines = comment.lines().map(str::trim).collect::<Vec<_>>();
    let paragraphs = lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_apart_and_lines_do_not() {
        assert_eq!(tidy(" One\n two.\n\n Three.\n"), "One two.\n\nThree.");
    }
}
