import DefaultTheme from "vitepress/theme";
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet has nothing to give
import "katex/dist/katex.min.css";
// oxlint-disable-next-line import/no-unassigned-import -- as above
import "./style.css";

export default DefaultTheme;
