"""The one error of the settings: everything that is wrong with them, a sentence each."""

from __future__ import annotations


class SettingsError(Exception):
    """The settings cannot be used.

    `sentences` holds one sentence per mistake; each names the setting as the user wrote it and says what to do.
    No sentence ever repeats the value that was given, so none can show a secret.
    """

    def __init__(self, sentences: tuple[str, ...]) -> None:
        """Keep the sentences in the order in which they were found."""
        super().__init__("\n".join(sentences))
        self.sentences = sentences
