"""The page behind a signed link: it shows a plan, and takes an authenticated person's answer. It knows no cloud."""
